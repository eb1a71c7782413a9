"""What commands print of servers, peers and files: text that controls no terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from voiceflow.server.logs import CONTROL, escaped

if TYPE_CHECKING:
    from rich.text import Text


def text(said: str, **options: Any) -> Text:
    """A piece of a table; the `options` are those of rich's `Text`."""
    from rich.text import Text

    return Text(escaped(said), **options)


def lines(said: str) -> str:
    """Text of several lines."""
    return "\n".join(map(escaped, said.split("\n")))


def json_of(value: object) -> str:
    """JSON in which everything that could control a terminal is escaped."""
    import msgspec

    return CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", msgspec.json.encode(value).decode())


class Commands(click.Group):
    """Commands whose errors control no terminal."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.ClickException as error:
            error.message = lines(error.message)  # type: ignore[misc]
            raise
