"""The routes of a pipeline file, which are served beside ours. What would take one of our paths, or never be reached
behind one of them, is refused. An error in one ends its own request alone."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from starlette.datastructures import URLPath
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import Message, Receive, Scope, Send

from voiceflow.errors import VoiceflowError
from voiceflow.inference import contained
from voiceflow.logs import get_logger
from voiceflow.transports.websocket import FAILED

log = get_logger("voiceflow.server")

SAMPLES: Final = ("x", "1", "00000000-0000-4000-8000-000000000000")
"""Values of parameters in paths, one for each kind that Starlette has."""


class Contained(BaseRoute):
    """A route whose errors are logged and answered. A server would do so, too, and then close the connection, by which
    the client may have sent its next request."""

    def __init__(self, route: BaseRoute) -> None:
        self._route = route

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        return self._route.matches(scope)

    def url_path_for(self, name: str, /, **path_params: Any) -> URLPath:
        return self._route.url_path_for(name, **path_params)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def sent(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            with contained():
                await self._route.handle(scope, receive, sent)
        except HTTPException:
            raise  # an answer, and no error
        except Exception as error:
            log.error("the route %s failed: %r", _path(self._route), error, exc_info=error)
            if scope["type"] == "websocket":
                with contextlib.suppress(Exception):  # it is closed already
                    await send({"type": "websocket.close", "code": FAILED})
            elif begun:
                raise  # the server has to cut the answer off
            else:
                await Response("Internal Server Error", 500, media_type="text/plain")(scope, receive, send)


class RouteTakenError(VoiceflowError):
    """A route whose path is one of ours."""


def refuse_taken(theirs: Iterable[BaseRoute], ours: Sequence[BaseRoute]) -> None:
    """Raise `RouteTakenError` for the first of `theirs` that shares a path with one of `ours`."""
    for route in theirs:
        for our in ours:
            if _meet(route, our):
                raise RouteTakenError(
                    f"the route {_path(route)} of the pipeline's file collides with {_path(our)}, which is served "
                    f"already: give it a path of its own, such as /own{_path(route)}"
                )


def _meet(one: BaseRoute, other: BaseRoute) -> bool:
    return _takes(one, _sample(other)) or _takes(other, _sample(one))


def _takes(route: BaseRoute, path: str) -> bool:
    scopes: list[Scope] = [
        {"type": kind, "path": path, "root_path": "", "method": "GET", "headers": []} for kind in ("http", "websocket")
    ]
    return any(route.matches(scope)[0] is not Match.NONE for scope in scopes)


def _sample(route: BaseRoute) -> str:
    """A path that the route takes."""
    path: str = getattr(route, "path_format", "")
    convertors: dict[str, Any] = getattr(route, "param_convertors", {})
    for name, convertor in convertors.items():
        value = next((sample for sample in SAMPLES if re.fullmatch(convertor.regex, sample)), SAMPLES[0])
        path = path.replace(f"{{{name}}}", value)
    return path


def _path(route: BaseRoute) -> str:
    return getattr(route, "path", "") or "/"
