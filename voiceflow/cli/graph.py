"""`voiceflow graph`: what a pipeline becomes when it is linked."""

from __future__ import annotations

from pathlib import Path

import click

from .problems import Refused, explained, log_level_option


@click.command(
    epilog="""\b
Examples:
  voiceflow graph hello.py
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
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="OUT", help="Write to a file.")
@log_level_option
def graph(target: str, picture: str, output: Path | None, log_level: str) -> None:
    """Draw a pipeline: its steps, tasks and audio formats.

    FILE is a Python file with a function `pipeline(call)`, NAME a built-in pipeline. It is linked as for a
    call from a WAV file of 16 kHz; no call is made.
    """
    from voiceflow import draw
    from voiceflow.audio import CANONICAL
    from voiceflow.call import Call
    from voiceflow.frames import AudioRaw
    from voiceflow.linking import link
    from voiceflow.transports.wav import WavSink, WavSource

    from .load import load_pipeline

    with explained(log_level):
        source = WavSource(AudioRaw(b"", CANONICAL))
        plan = link(load_pipeline(target)(Call(source, WavSink(source), transport="wav")))
    drawing = {"text": draw.text, "mermaid": draw.mermaid, "svg": draw.svg}[picture](plan)
    if output is None:
        click.echo(drawing, nl=False)
        return
    try:
        output.write_text(drawing, encoding="utf-8")
    except OSError as error:
        raise Refused(f"cannot write {output}: {error.strerror}") from error
