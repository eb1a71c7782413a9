"""`voiceflow run --wav`: makes one call from a WAV file, and reports its result."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import click

from .cli_errors import INTERRUPTED, Refused, check_writable, explained, start_logging, write_recording
from .printed import lines, text

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from voiceflow.call import Build, Call
    from voiceflow.call_limits import Ended
    from voiceflow.frames import AudioRaw, Frame, Transcript
    from voiceflow.reply import Reply
    from voiceflow.route import Route
    from voiceflow.transports.wav import WavSource


class Outcome(NamedTuple):
    """The result of a call from a recording. Times are in seconds."""

    said: AudioRaw
    heard: AudioRaw
    ended: Ended | None
    """None if the user stopped the call."""
    problem: str | None
    """Why the call is no success; None if it is one."""
    call_seconds: float
    took_seconds: float
    conversation: list[Transcript | Reply]


def run_recording(
    target: str,
    path_in: Path,
    path_out: Path,
    *,
    config: Path | None,
    fast: bool,
    as_json: bool,
    transcript: bool,
    log_level: str | None,
) -> None:
    """Call the pipeline `target` with a recording, write what was heard, and print the result."""
    from voiceflow.config.precedence import settle
    from voiceflow.logs import show_numbers
    from voiceflow.server.conversation import printed
    from voiceflow.server.pipelinefile import load_pipeline
    from voiceflow.sounds.wavfile import read_wav

    with explained(log_level):
        settled = settle(target, config, log_level=log_level)
        start_logging(settled.config.log_level)
        show_numbers(settled.config.log_numbers)
        build = load_pipeline(target)
        said = read_wav(path_in)
        _check_output(path_in, path_out)
        outcome = _call(said, printed(build) if transcript else build, settled.routes.default, fast)
    unwritten = write_recording(path_out, outcome.heard)
    result = _result(outcome, path_in, path_out)
    if as_json:
        click.echo(json.dumps(result))
    else:
        _print_table(result)
    if unwritten is not None:
        click.echo(f"Error: {unwritten}", err=True)
    if outcome.ended is None:
        raise SystemExit(INTERRUPTED)
    if outcome.problem is not None:
        _leave(outcome.problem)
    if unwritten is not None:
        raise SystemExit(1)


def _leave(problem: str) -> NoReturn:
    """Exit with code 1, even if a thread hangs for which Python would wait."""
    from voiceflow.testing.virtualloop import rests

    error = click.ClickException(lines(problem))
    others = [thread for thread in threading.enumerate() if thread is not threading.current_thread()]
    if all(thread.daemon or rests(thread) for thread in others):
        raise error
    error.show()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(error.exit_code)


class _Unawaited(ThreadPoolExecutor):
    """The threads of `asyncio.to_thread`. The end of the event loop does not wait for them, since one may hang."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        super().shutdown(wait=False, cancel_futures=cancel_futures)


def _check_output(path_in: Path, path_out: Path) -> None:
    """Refuse, before the call, an output file that could not be written after it."""
    check_writable(path_out)
    if path_out.exists() and path_out.samefile(path_in):
        raise Refused(f"{path_out} is the caller's recording itself: name another file for OUT")


def _call(said: AudioRaw, build: Build, route: Route, fast: bool) -> Outcome:
    """Run the call to its end, or until the user stops it."""
    from voiceflow.call import Call
    from voiceflow.engine.loop_lag import LagGauge
    from voiceflow.frames import Transcript
    from voiceflow.testing.virtualloop import VirtualLoop
    from voiceflow.transports.wav import WavSink, WavSource

    from .verdict import Verdict

    class RecordedCaller(WavSource):
        """Tells the verdict when the call runs."""

        @property
        def name(self) -> str:
            return WavSource.__name__

        async def open(self, call: Call) -> None:
            verdicts[0].watch(asyncio.get_running_loop())

    source = RecordedCaller(said)
    sink = WavSink(source)
    conversation: list[Transcript | Reply] = []
    verdicts: list[Verdict] = []
    started = time.perf_counter()

    def heard(frame: Frame) -> None:
        if isinstance(frame, Transcript) and frame.final and frame.text:
            conversation.append(frame)

    async def run() -> Ended:
        asyncio.get_running_loop().set_default_executor(_Unawaited(thread_name_prefix="asyncio"))
        progress = asyncio.create_task(_show_progress(source))
        try:
            with LagGauge():
                call = Call(source, sink, transport="wav", route=route)
                verdicts.append(Verdict(call, said))
                call.on_heard(heard)
                call.on_reply(conversation.append)
                return await call.run(build)
        finally:
            progress.cancel()
            await asyncio.wait([progress])

    ended = None
    try:
        with asyncio.Runner(loop_factory=VirtualLoop if fast else None) as runner:
            ended = runner.run(run())
    except KeyboardInterrupt:
        pass
    problem = verdicts[0].problem(ended) if ended else None
    took = time.perf_counter() - started
    return Outcome(said, sink.heard(), ended, problem, source.position, took, conversation)


async def _show_progress(source: WavSource) -> None:
    """Show on standard error how far the call is, until cancelled."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    await asyncio.sleep(0.1)  # a pipeline that does not link needs no bar
    columns = TextColumn("call"), BarColumn(), TextColumn("{task.completed:.1f} of {task.total:.1f} s")
    # Drawn from here, in real time: a thread that draws would have virtual time wait for it.
    with Progress(*columns, console=Console(stderr=True), auto_refresh=False) as progress:
        bar, drawn = progress.add_task("call"), 0.0
        try:
            while True:
                _advance(progress, bar, source)
                if time.perf_counter() - drawn > 0.1:
                    progress.refresh()
                    drawn = time.perf_counter()
                await asyncio.sleep(0.1)
        finally:
            _advance(progress, bar, source)


def _advance(progress: Progress, bar: TaskID, source: WavSource) -> None:
    progress.update(bar, completed=source.position, total=max(source.audio.duration, source.position))


def _result(outcome: Outcome, path_in: Path, path_out: Path) -> dict[str, Any]:
    """The result of the call as it is printed: times in seconds, or in milliseconds where the key says so."""
    from .audio_comparison import compare

    said, heard, ended, problem, call_seconds, took_seconds, conversation = outcome
    likeness = compare(said, heard)
    return {
        "in": str(path_in),
        "in_seconds": round(said.duration, 3),
        "out": str(path_out),
        "out_seconds": round(heard.duration, 3),
        "delay_ms": round(likeness.delay * 1000, 1) if likeness else None,
        "correlation": round(likeness.correlation, 4) if likeness else None,
        "reason": ended.reason if ended else "stopped by the user",
        "error": str(ended.error) if ended and ended.error else problem,
        "call_seconds": round(call_seconds, 3),
        "took_seconds": round(took_seconds, 3),
        "speed": round(call_seconds / took_seconds, 1),
        "conversation": [line for said in conversation if (line := _line(said))],
    }


def _line(said: Transcript | Reply) -> dict[str, Any] | None:
    """A line of the conversation: who spoke, and the words; of a reply, those that were heard. None for a reply of
    which nothing had been heard when the call ended."""
    from voiceflow.frames import Transcript

    if isinstance(said, Transcript):
        return {"who": "caller", "said": said.text}
    if not said.text or not (said.heard or said.interrupted):
        return None
    return {"who": "agent", "said": said.heard, "interrupted": said.interrupted}


def _print_table(result: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    alike = result["correlation"]
    took, call = result["took_seconds"], result["call_seconds"]
    rows = {
        "caller said": f"{result['in_seconds']:.2f} s in {result['in']}",
        "caller heard": f"{result['out_seconds']:.2f} s in {result['out']}",
        "delay": "-" if alike is None else f"{result['delay_ms']:.1f} ms",
        "correlation": "- (one of them is silent)" if alike is None else f"{alike:.4f}",
        "ended": result["reason"],
        "took": f"{took:.2f} s for {call:.2f} s ({result['speed']:g} x real time)",
    }
    if result["conversation"]:  # then what was heard is an answer, not an echo
        del rows["delay"], rows["correlation"]
    table = Table(show_header=False)
    for line in result["conversation"]:
        cut = " ... (interrupted)" if line.get("interrupted") else ""
        table.add_row(text(line["who"], style="bold"), text(line["said"] + cut, overflow="fold"))
    if result["conversation"]:
        table.add_section()
    for name, value in rows.items():
        table.add_row(text(name, style="dim"), text(value, overflow="fold"))
    Console().print(table)
