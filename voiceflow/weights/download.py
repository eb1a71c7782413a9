"""Downloads from the Hugging Face hub, or from the one at $HF_ENDPOINT, the variable of Hugging Face's own tools."""

from __future__ import annotations

import contextlib
import functools
import logging
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from voiceflow.errors import WeightsError
from voiceflow.variables import variable

from . import cache
from .catalogue import File, Model

if TYPE_CHECKING:
    import httpx

logger = logging.getLogger(__name__)

CONNECT = 5.0
"""Seconds to reach the hub. A machine behind a closed firewall waits this long before it uses what it has."""
SILENCE = 30.0
"""Seconds without a byte after which a download is given up."""

CHUNK = 1 << 18
"""Bytes that are read at a time."""

Advance = Callable[[int], None]
"""Called with the size in bytes of each piece of a file that has come."""


def endpoint() -> str:
    return (variable("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")


def url(model: Model, file: File) -> str:
    return f"{endpoint()}/{model.repository}/resolve/{model.revision}/{file.path}"


def download(model: Model) -> Path:
    """Download the files of a model that the cache lacks. Returns the model's folder in the cache.

    Raises WeightsError: the hub cannot be reached, has no such file, stops, or sends something else than expected.
    """
    import httpx

    timeout = httpx.Timeout(SILENCE, connect=CONNECT)
    headers = {"Accept-Encoding": "identity"}  # weights do not compress, and Content-Length is then their size
    with httpx.Client(timeout=timeout, headers=headers, follow_redirects=True) as client, _progress(model) as begin:

        def pour(file: File, out: cache.Poured) -> None:
            address = url(model, file)
            try:
                with client.stream("GET", address) as response:
                    _receive(response, out, begin(file))
            except (httpx.HTTPError, httpx.InvalidURL, WeightsError) as error:
                raise WeightsError(f"{address}: {str(error) or type(error).__name__}") from error

        return cache.fill(model, pour)


def _receive(response: httpx.Response, out: cache.Poured, advance: Advance) -> None:
    if response.status_code != 200:
        raise WeightsError(f"the server answered {response.status_code} {response.reason_phrase}")
    for data in response.iter_bytes(CHUNK):
        out.write(data)
        advance(len(data))
    expected = _stated_sum(response)
    if expected is not None and out.sha256 != expected:
        raise WeightsError(f"what came has the SHA-256 sum {out.sha256}: the server says {expected}")


def _stated_sum(response: httpx.Response) -> str | None:
    """The SHA-256 sum that the hub states for a large file, when it redirects to the server that stores it."""
    for answer in (*response.history, response):
        etag = answer.headers.get("x-linked-etag", "").strip('"')
        if re.fullmatch("[0-9a-f]{64}", etag):
            return str(etag)
    return None


@contextlib.contextmanager
def _progress(model: Model) -> Iterator[Callable[[File], Advance]]:
    """Show a bar for each file if standard error is a terminal, else write one line to the log."""
    if not sys.stderr.isatty():
        told = "downloading %s, %.0f MB, from %s/%s"
        tell = functools.cache(lambda: logger.info(told, model.name, model.size / 1e6, endpoint(), model.repository))

        def line(file: File) -> Advance:
            tell()
            return lambda size: None

        yield line
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bars:

        def bar(file: File) -> Advance:
            task = bars.add_task(f"{model.name}/{file.name}", total=file.size)
            return lambda size: bars.advance(task, size)

        yield bar
