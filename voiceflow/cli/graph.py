"""`voiceflow graph`: draws a pipeline as it is linked."""

from __future__ import annotations

from pathlib import Path

import click

from .choices import OneOf, transports
from .cli_errors import Refused, config_option, explained, log_level_option, start_logging


@click.command(
    epilog="""\b
Examples:
  voiceflow graph hello.py
  voiceflow graph hello.py --as webrtc
  voiceflow graph echo --format mermaid
  voiceflow graph hello.py --format svg -o hello.svg
""",
)
@click.argument("target", metavar="FILE|NAME")
@click.option(
    "--format",
    "picture",
    type=click.Choice(["text", "mermaid", "svg"]),
    default="text",
    show_default=True,
    help="text for terminals, mermaid for Markdown, svg for everything else.",
)
@click.option(
    "--as",
    "transport",
    type=OneOf(transports),
    default="wav",
    show_default=True,
    help="Link it as for a call by this transport.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="OUT", help="Write to a file.")
@config_option
@log_level_option
def graph(
    target: str, picture: str, transport: str, output: Path | None, config: Path | None, log_level: str | None
) -> None:
    """Draw a pipeline: its steps, tasks and audio formats.

    FILE is a Python file with a function `pipeline(call)`, NAME a built-in pipeline. It is linked; no call is
    made. The environment and the configuration are those of `voiceflow run`.
    """
    from voiceflow import draw
    from voiceflow.config.precedence import settle
    from voiceflow.linking.linker import link
    from voiceflow.server.pipelinefile import load_pipeline
    from voiceflow.transports.dry_call import nominal_call

    start_logging(log_level)
    with explained(log_level):
        start_logging(settle(target, config, log_level=log_level).config.log_level)
        plan = link(load_pipeline(target)(nominal_call(transport)))
    drawing = {"text": draw.text, "mermaid": draw.mermaid, "svg": draw.svg}[picture](plan)
    if output is None:
        click.echo(drawing, nl=False)
        return
    try:
        output.write_text(drawing, encoding="utf-8")
    except OSError as error:
        raise Refused(f"cannot write {output}: {error.strerror}") from error
