"""`voiceflow routes`: shows the route of each number."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .cli_errors import Refused, config_option, start_logging
from .printed import json_of

if TYPE_CHECKING:
    from voiceflow.route import Route


@click.command(
    epilog="""\b
Examples:
  voiceflow routes
  voiceflow routes "+1 (512) 555-1234"
  voiceflow routes -c voiceflow.yaml --json

\b
Exit codes: 0, 1 NUMBER has no route and is refused, 2 the configuration cannot be used.
""",
)
@click.argument("number", metavar="[NUMBER]", required=False)
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def routes(number: str | None, config: Path | None, as_json: bool) -> None:
    """Show the routes of the numbers in the configuration, or the one that NUMBER gets.

    Without -c, the configuration is ./voiceflow.yaml, else ~/.config/voiceflow/config.yaml, else
    ~/.vibecode/sip_config.yaml. A file .env in the working folder adds to the environment.
    """
    from voiceflow.config.precedence import settle
    from voiceflow.config.settings import origin
    from voiceflow.errors import DIDNotFoundError, VoiceflowError

    from .tables import show_rows

    start_logging("warning")
    try:
        file, _, known = settle(named=config)
        found = map(known.find, known.dids if number is None else [number])
        shown = {each.did: each.route for each in found}
    except DIDNotFoundError as error:
        raise click.ClickException(f"{error} in {file}, until then calls to it are refused") from error
    except VoiceflowError as error:
        raise Refused(str(error)) from error
    default = None if known.dids else known.default
    if as_json:
        _print_json(file, default, shown)
        return
    click.echo(f"configuration: {origin(file)}", err=True)
    if default is not None:
        click.echo("There are no `dids` in it: every number gets the default route.", err=True)
    every = shown or {"any number": known.default}
    fields = known.default.__struct_fields__
    names = [name for name in fields if any(getattr(route, name) not in (None, {}) for route in every.values())]
    show_rows([{"number": did, **_cells(route, names)} for did, route in every.items()])


def _print_json(file: Path | None, default: Route | None, routes: dict[str, Route]) -> None:
    """Print the routes as JSON. `default` is the route of all other numbers; null if they are refused."""
    config = str(file) if file else None
    click.echo(json_of({"config": config, "default": default, "routes": routes}))


def _cells(route: Route, names: list[str]) -> dict[str, str]:
    """The fields of these names. Those that no route has are not shown: a table that fits is easier to read."""
    return {name: _cell(name, getattr(route, name)) for name in names}


def _cell(name: str, value: Any) -> str:
    match name, value:
        case _, None:
            return ""
        case "transfer_to", ():
            return "nowhere"
        case "transfer_to", _:
            return ", ".join(value)
        case "words", _:
            words = (
                (f"{language}.{key}".lstrip("."), said) for language, of in value.items() for key, said in of.items()
            )
            return ", ".join(f"{key}={said}" for key, said in words)
        case "extra", _:
            return ", ".join(f"{key}={other}" for key, other in value.items())
        case _:
            return str(value)
