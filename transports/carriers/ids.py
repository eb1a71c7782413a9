"""The shapes of a carrier's ids.

What has another shape is no id of that carrier's. It is refused before it gets into the address of a REST request, into
a log, or to the author of a pipeline, who may put it into either.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from voiceflow.errors import CallRejectedError
from voiceflow.transports.dialect import shorten


class Shape(NamedTuple):
    pattern: re.Pattern[str]
    meaning: str
    """The pattern in words, for errors."""


PLAIN: Final = Shape(
    re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:=~+-]{0,127}"),
    "at most 128 letters, digits and _ . : = ~ + -, a letter or a digit first",
)
"""The shape of an id of which nothing else is known."""


def check_ids(shapes: Mapping[str, Shape], ids: Mapping[str, Any]) -> None:
    """Raise `CallRejectedError` if one of `ids`, by name, has not the shape of that name. An id that is missing or
    empty has none."""
    for name, shape in shapes.items():
        value = ids.get(name)
        if value and not (isinstance(value, str) and shape.pattern.fullmatch(value)):
            raise CallRejectedError(f"expected {shape.meaning} as the {name}; got {shorten(str(value))}")
