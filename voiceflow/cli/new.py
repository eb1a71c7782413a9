"""`voiceflow new`: a pipeline to start from."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from .cli_errors import Refused
from .program import program

TEMPLATE = '''\
"""A pipeline: the caller hears what the caller says, at half the volume.

Try it with a recording:   voiceflow run {file} --wav speech.wav heard.wav
See what runs where:       voiceflow graph {file}
"""

import numpy as np

from voiceflow import AudioRaw, Call, Pipeline, Processor


class Volume(Processor):
    """Makes audio louder or quieter.

    The annotations of `process` are the type of a processor: this one consumes audio and yields audio, and
    every other frame passes by. It gets 16-bit samples at 16 kHz, mono, whatever the call comes with.

    It is not asynchronous, so it runs inside the task of its neighbour and must not block. What waits, for a
    model or a server, is written as `async def process` and gets a task of its own.
    """

    def __init__(self, gain: float) -> None:
        self.gain = gain

    def process(self, frame: AudioRaw) -> AudioRaw:
        louder = np.clip(frame.samples * self.gain, -32768, 32767)
        return AudioRaw(louder.astype("<i2").tobytes(), frame.format)


def pipeline(call: Call) -> Pipeline:
    """Build the pipeline of one call. This is called once for each, so that every call has its own processors."""
    return call.source | Volume(0.5) | call.sink
'''


@click.command(
    epilog="""\b
Example:
  voiceflow new hello.py
""",
)
@click.argument("file", type=click.Path(path_type=Path))
def new(file: Path) -> None:
    """Write FILE, a commented pipeline to start from."""
    name, ours = shlex.quote(str(file)), program()
    try:
        with file.open("x", encoding="utf-8") as stream:
            stream.write(TEMPLATE.format(file=name))
    except FileExistsError as error:
        raise Refused(f"{file} exists and is left as it is: choose another name") from error
    except OSError as error:
        raise Refused(f"cannot write {file}: {error.strerror}") from error
    click.echo(
        f"{file} is a pipeline that turns the caller's voice down and plays it back.\n"
        f"\n"
        f"  {ours} graph {name}                            see what runs where\n"
        f"  {ours} run {name} --wav speech.wav heard.wav   call it with a recording of yours\n"
    )
