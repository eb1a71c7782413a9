"""The calls of `voiceflow call`: their script, their carrier, their progress, their recording."""

from __future__ import annotations

import asyncio
import gc
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from voiceflow import phone
from voiceflow.frames import AudioRaw
from voiceflow.phone.caller import Load
from voiceflow.phone.record import decoded, played, stereo
from voiceflow.phone.report import Heard, Report, report
from voiceflow.phone.script import PIECE, Network, Script, write
from voiceflow.transports.dialect import Carrier, Start, get_provider
from voiceflow.wavfile import read_wav, write_wav

from .likeness import compare

if TYPE_CHECKING:
    from .call import Options

SPEECH = Path(phone.__file__).with_name("speech.wav")
"""What the caller says unless told otherwise."""


def make_calls(asked: Options) -> Report | None:
    """Conduct the calls, to their end or until the user stops them. None if they were stopped before the first."""
    script = _script(asked)
    load = Load(asked.url, [_carrier(asked) for _ in range(asked.calls)], script)
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_run(load, script))
    except KeyboardInterrupt:
        if not load.callers:
            return None
    said, heard, sent = _recordings(load, script)
    if asked.record is not None:
        _write(asked.record, heard if asked.mono else stereo(said, heard))
    return report(
        load,
        url=asked.url,
        provider=asked.provider,
        codec=f"{asked.codec} {asked.format.rate} Hz",
        heard=_compare(said, heard, sent),
        recorded=str(asked.record) if asked.record else None,
    )


def _script(asked: Options) -> Script:
    spoken = asked.play
    if spoken is None and not asked.digits:
        spoken = SPEECH
    return write(
        read_wav(spoken) if spoken else None,
        asked.format,
        digits=asked.digits,
        barge_in_at=asked.barge_in_at,
        seconds=asked.seconds,
        vanish_after=asked.vanish_after,
        network=Network(asked.loss / 100, asked.jitter / 1000, asked.reorder / 100),
    )


def _carrier(asked: Options) -> Carrier:
    """The carrier's end of a new call."""
    unique = uuid.uuid4()
    twilio = asked.provider == "twilio"
    # As our answer to the carrier's webhook asks for them: transports/answer.py.
    parameters = {"from": asked.caller_id, "to": asked.did}
    if asked.token is not None:
        parameters["token"] = asked.token
    return get_provider(asked.provider).carrier(
        Start(
            provider=asked.provider,
            stream_id=f"MZ{unique.hex}" if twilio else str(unique),
            call_sid=asked.call_id or (f"CA{unique.hex}" if twilio else f"v2:{unique.hex}"),
            caller_id=asked.caller_id,
            did=asked.did,
            inbound=asked.format,
            outbound=asked.format,
            parameters=parameters,
        )
    )


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop, where there is one: its sockets cost half."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


async def _run(load: Load, script: Script) -> None:
    gc.freeze()  # a collection that walks every module makes all calls late by tens of milliseconds
    progress = asyncio.create_task(_show_progress(load, script))
    try:
        await load.run()
    finally:
        progress.cancel()
        await asyncio.wait([progress])


async def _show_progress(load: Load, script: Script) -> None:
    """Show on standard error how far the first call is, until cancelled."""
    await load.begun.wait()  # a call that is not taken needs no bar
    first = load.callers[0]
    columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:.1f} of {task.total:.1f} s")
    with Progress(*columns, console=Console(stderr=True), refresh_per_second=4) as progress:
        bar = progress.add_task("call")
        try:
            while True:
                length = script.length if script.length is not None else max(script.over, first.number)
                calls = f"{len(load.callers)} calls" if len(load.callers) > 1 else "call"
                progress.update(bar, description=calls, completed=first.seconds, total=length * PIECE)
                await asyncio.sleep(0.25)
        finally:
            progress.update(bar, completed=first.seconds, total=first.seconds)


def _recordings(load: Load, script: Script) -> tuple[AudioRaw, AudioRaw, AudioRaw]:
    """Of the first call: what the caller said, what the caller heard, and what of that the agent sent."""
    first = load.callers[0]
    said = decoded(b"".join(map(script.piece, range(first.number))), script.format)
    return said, played(first.player, first.zero), decoded(first.player.recording, first.player.format)


def _write(path: Path, audio: AudioRaw) -> None:
    try:
        write_wav(path, audio)
    except OSError as error:
        raise click.ClickException(f"cannot write {path}: {error.strerror}") from error


def _compare(said: AudioRaw, heard: AudioRaw, sent: AudioRaw) -> Heard | None:
    alike, without_gaps = compare(said, heard), compare(said, sent)
    if alike is None or without_gaps is None:
        return None
    return Heard(round(alike.delay * 1000, 1), round(alike.correlation, 4), round(without_gaps.correlation, 4))
