"""Downloads from the Hugging Face hub, or from the one at $HF_ENDPOINT, the variable of Hugging Face's own tools.

Nothing is read that the catalogue does not announce: of a redirect only its head, of a file as many bytes as it has,
and as they are, since a few kilobytes can be said to be the compressed form of gigabytes.
"""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from voiceflow.errors import WeightsError
from voiceflow.logs import get_logger
from voiceflow.variables import variable

from . import cache
from .catalogue import File, Model

if TYPE_CHECKING:
    import httpx

logger = get_logger(__name__)

CONNECT = 5.0
"""Seconds to reach the hub. A machine behind a closed firewall waits this long before it uses what it has."""
SILENCE = 30.0
"""Seconds without a byte after which a download is given up."""

CHUNK = 1 << 18
"""Bytes that are read at a time."""
REDIRECTS = 5
"""How often a hub may send us elsewhere. The usual one does it once, to the server that stores the file."""
PLAIN_HTTP = "VOICEFLOW_PLAIN_HTTP"
"""The variable that, set to 1, permits downloads by plain HTTP."""

Advance = Callable[[int], None]
"""Called with the size in bytes of each piece of a file that has come."""


def endpoint() -> str:
    return (variable("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")


def url(model: Model, file: File) -> str:
    return f"{endpoint()}/{model.repository}/resolve/{model.revision}/{file.path}"


def download(model: Model, *, plain_http: bool = False) -> Path:
    """Download the files of a model that the cache lacks. Returns the model's folder in the cache. Addresses with http,
    where others on the way see and change what is sent, have to be permitted by `plain_http` or $VOICEFLOW_PLAIN_HTTP.

    Raises WeightsError: the hub cannot be reached, has no such file, stops, or sends something else than expected.
    """
    import httpx

    timeout = httpx.Timeout(SILENCE, connect=CONNECT)
    headers = {"Accept-Encoding": "identity"}  # weights do not compress, and Content-Length is then their size
    allowed = plain_http or variable(PLAIN_HTTP) == "1"
    with httpx.Client(timeout=timeout, headers=headers) as client, _progress(model) as begin:

        def pour(file: File, out: cache.Poured) -> None:
            address = url(model, file)
            try:
                with _found(client, address, plain_http=allowed) as response:
                    _receive(response, file, out, begin(file))
            except (httpx.HTTPError, httpx.InvalidURL, WeightsError) as error:
                raise WeightsError(f"{address}: {str(error) or type(error).__name__}") from error

        return cache.fill(model, pour)


@contextlib.contextmanager
def _found(client: httpx.Client, address: str, *, plain_http: bool) -> Iterator[httpx.Response]:
    """The answer to a request for `address`, by way of redirects. Its body has not been read."""
    import httpx

    where = httpx.URL(address)
    for _ in range(REDIRECTS + 1):
        if where.scheme == "http" and not plain_http:
            raise WeightsError(
                f"{where.host} would be asked by plain HTTP, and others on the way could change what it sends: give an "
                f"address with https, or allow this by {PLAIN_HTTP}=1 or `voiceflow models download --plain-http`"
            )
        with client.stream("GET", where) as response:
            if response.next_request is None:
                yield response
                return
            where = response.next_request.url
    raise WeightsError(f"the server redirects more than {REDIRECTS} times")


def _receive(response: httpx.Response, file: File, out: cache.Poured, advance: Advance) -> None:
    if response.status_code != 200:
        raise WeightsError(f"the server answered {response.status_code} {response.reason_phrase}")
    encoding = response.headers.get("content-encoding", "identity")
    if encoding != "identity":
        raise WeightsError(f"the server sends the file in the encoding {encoding!r}: expected it as it is")
    announced = response.headers.get("content-length", str(file.size))
    if announced != str(file.size):
        raise WeightsError(f"{file.name} has {announced} bytes: expected {file.size}")
    for data in response.iter_raw(CHUNK):
        out.write(data)
        advance(len(data))


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
