"""Makes the calls of `voiceflow call`: writes their script, shows their progress, gathers recording and report."""

from __future__ import annotations

import asyncio
import gc
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from voiceflow.audio import AudioFormat
from voiceflow.errors import MissingExtraError
from voiceflow.frames import AudioRaw
from voiceflow.processors.codec import convert
from voiceflow.simulator.caller import Load
from voiceflow.simulator.cues import UNKNOWN
from voiceflow.simulator.load import ANSWER, Calls, Conversation
from voiceflow.simulator.measure import Tally
from voiceflow.simulator.record import decoded, played, stereo
from voiceflow.simulator.report import Heard, Report, Said, TurnDurations, echoes, report
from voiceflow.simulator.script import PIECE, CallerPart, Script
from voiceflow.simulator.turns import answered, spoken_lines
from voiceflow.transports.carriers import carrier_named
from voiceflow.transports.dialect import Mirror, Start

from .audio_comparison import compare, positions
from .call_options import BROWSER, CallOptions
from .call_script import script_of
from .cli_errors import write_recording
from .scriptfile import read_script
from .transcript import transcript

if TYPE_CHECKING:
    from voiceflow.simulator.browser import BrowserCaller


class Made(NamedTuple):
    """The result of the calls that were made."""

    report: Report
    unanswered: bool
    """Whether the agent never answered, though the callers waited for it."""
    unwritten: str | None
    """Why the recording could not be written. None: it was, or none was asked for."""


def make_calls(asked: CallOptions) -> Made | None:
    """Conduct the calls, to their end or until the user stops them. None if they were stopped before the first."""
    file = read_script(asked.script) if asked.script else None
    calls = _calls(asked, script_of(asked, file))
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_run(calls))
    except KeyboardInterrupt:
        if not calls.callers:
            return None
    first = calls.callers[0]
    said, heard, sent = _recordings(first)
    unwritten = None
    if asked.record is not None:
        unwritten = write_recording(asked.record, heard if asked.mono else stereo(said, heard))
    alike = _compare(said, heard, sent)
    lines = spoken_lines(said, heard, _cuts(first))
    turns: list[TurnDurations] = []
    conversation: list[Said] = []
    if asked.provider == BROWSER:
        _count_delays(first, said, sent, calls.tally)
        turns, conversation = first.turns, first.conversation
    elif not echoes(alike):
        turns = [TurnDurations(round(line.latency * 1000, 1), {}) for line in lines if line.latency is not None]
        conversation = transcript(lines, said, heard, first.part, file.language if file else None)
    made = report(
        calls,
        url=asked.url,
        provider=asked.provider,
        codec=f"{asked.codec} {asked.format.rate} Hz",
        heard=alike,
        recorded=str(asked.record) if asked.record and not unwritten else None,
        turns=turns,
        conversation=conversation,
    )
    return Made(made, not answered(lines) and _waits(first.part), unwritten)


def _waits(part: CallerPart) -> bool:
    """Whether the caller stays long enough for an answer. Callers who are told to leave earlier need not hear one."""
    return part.vanish is None and (part.length is None or (part.length - part.over) * PIECE >= ANSWER)


def _cuts(first: Conversation) -> list[float]:
    """When the agent's audio was cut off, in seconds from the caller's first piece."""
    ends = [span.end - first.zero for span in first.player.spans if span.cut]
    return [end for end in ends if end < first.number * PIECE - PIECE]  # at the end of the call all of it is


def _calls(asked: CallOptions, script: Script) -> Calls[Any]:
    if asked.via_webhook:
        from .call_webhook import announced_calls

        return announced_calls(asked, script)
    if asked.provider != BROWSER:
        return Load(asked.url, [_mirror(asked) for _ in range(asked.calls)], script)
    try:
        from voiceflow.simulator.browser import BrowserLoad
    except ImportError as error:
        raise MissingExtraError("A call as a browser", "webrtc") from error
    return BrowserLoad(asked.url, asked.calls, script)


def _mirror(asked: CallOptions) -> Mirror:
    """The simulated carrier's end of a new call."""
    carrier = carrier_named(asked.provider)
    stream_id, call_id = carrier.ids(uuid.uuid4())
    # A carrier sends the parameters for which our answer to its webhook asks.
    parameters = {"from": asked.caller_id, "to": asked.did}
    if asked.token is not None:
        parameters["token"] = asked.token
    return carrier.mirror(
        Start(
            provider=asked.provider,
            stream_id=stream_id,
            call_sid=asked.call_id or call_id,
            caller_id=asked.caller_id,
            did=asked.did,
            inbound=asked.format,
            outbound=asked.format,
            parameters=parameters,
        )
    )


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's event loop if it is installed, since its sockets cost half; else None, which stands for asyncio's."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


async def _run(calls: Calls[Any]) -> None:
    gc.freeze()  # a collection that walked every module would make all calls late by tens of milliseconds
    progress = asyncio.create_task(_show_progress(calls))
    try:
        await calls.run()
    finally:
        progress.cancel()
        await asyncio.wait([progress])


async def _show_progress(calls: Calls[Any]) -> None:
    """Show on standard error how far the first call is, until cancelled."""
    await calls.begun.wait()  # a call that is not accepted needs no bar
    first = calls.callers[0]
    part = first.part
    columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:.1f} of {task.total:.1f} s")
    with Progress(*columns, console=Console(stderr=True), refresh_per_second=4) as progress:
        bar = progress.add_task("call")
        try:
            while True:
                over = part.over if part.over < UNKNOWN else first.number
                length = part.length if part.length is not None else max(over, first.number)
                taken = f"{len(calls.callers)} calls" if len(calls.callers) > 1 else "call"
                progress.update(bar, description=taken, completed=first.seconds, total=length * PIECE)
                await asyncio.sleep(0.25)
        finally:
            progress.update(bar, completed=first.seconds, total=first.seconds)


def _recordings(first: Conversation) -> tuple[AudioRaw, AudioRaw, AudioRaw]:
    """Three recordings of the first call, at the higher of its rates: what the caller said; what the caller heard; and
    the same without its gaps, as the agent sent it."""
    said = decoded(b"".join(map(first.part.piece, range(first.number))), first.part.format)
    common = AudioFormat("pcm16", max(said.format.rate, first.player.format.rate))
    heard, sent = played(first.player, first.zero), decoded(first.player.recording, first.player.format)
    return convert(said, common), convert(heard, common), convert(sent, common)


def _count_delays(first: BrowserCaller, said: AudioRaw, sent: AudioRaw, tally: Tally) -> None:
    """Measure the delay of an echo for each half second of speech. Each is searched for anew, since silence that the
    server adds shifts the echo in the stream."""
    rate, size = said.format.rate, said.format.frame_bytes

    def spoken(sample: int) -> float:
        """When the piece that begins at `sample` was sent, on the phone's clock."""
        return first.zero + sample / rate + PIECE

    def place(sample: int) -> int:
        """The first sample that may be its echo: the search begins with what came a piece before it was sent."""
        return first.received(spoken(sample) - PIECE) // size

    for sample, found in positions(said, sent, place):
        last = found + round(PIECE * rate) - 1  # the last sample of the piece's echo
        tally.delay.add(max(0.0, first.arrival(last * size) - spoken(sample)))


def _compare(said: AudioRaw, heard: AudioRaw, sent: AudioRaw) -> Heard | None:
    alike, without_gaps = compare(said, heard), compare(said, sent)
    if alike is None or without_gaps is None:
        return None
    return Heard(round(alike.delay * 1000, 1), round(alike.correlation, 4), round(without_gaps.correlation, 4))
