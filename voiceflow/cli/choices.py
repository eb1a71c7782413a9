"""Options whose choices, such as the names of the carriers, are looked up only when they are needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from voiceflow.errors import VoiceflowError

from .cli_errors import Refused

if TYPE_CHECKING:
    _Text = click.ParamType[str]
else:
    _Text = click.ParamType  # not generic before click 8.2


class OneOf(_Text):
    """The type of an option that takes one of `names()`, which is called when the command runs or shows its help."""

    name = "name"

    def __init__(self, names: Callable[[], Sequence[str]]) -> None:
        self._names = names

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        return f"[{'|'.join(self._found())}]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        found = {name.lower(): name for name in self._found()}
        if str(value).lower() not in found:
            self.fail(f"{value!r} is not one of {', '.join(found.values())}.", param, ctx)
        return found[str(value).lower()]

    def _found(self) -> Sequence[str]:
        try:
            return self._names()
        except VoiceflowError as error:
            raise Refused(str(error)) from error


def transports() -> Sequence[str]:
    """The names of all transports by which calls arrive."""
    from voiceflow.transports.dry_call import transports

    return transports()


def carrier_names() -> Sequence[str]:
    from voiceflow.transports.carriers import names

    return names()


def callers() -> Sequence[str]:
    """The names of everything that `voiceflow call` can simulate: the carriers, and a browser."""
    return *carrier_names(), "webrtc"


def codecs() -> Sequence[str]:
    """The names of the codecs of all carriers, each once."""
    from voiceflow.transports.carriers import carriers

    return list(dict.fromkeys(codec for carrier in carriers() for codec in carrier.codecs))
