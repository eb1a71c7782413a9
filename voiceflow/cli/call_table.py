"""The table in which `voiceflow call` shows its result."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table

from voiceflow.simulator.measure import Quantiles
from voiceflow.simulator.report import Gaps, Heard, Report, TurnDurations, echoes

from .printed import text

LATE = 20.0
"""Milliseconds. A simulated phone that sends later than by one piece of audio has measured itself, not the server."""


def show(report: Report) -> None:
    """Print the report on standard output."""
    table = Table(show_header=False)
    for name, value, style in _rows(report):
        table.add_row(text(name, style="dim"), text(value, style=style, overflow="fold"))
    Console().print(table)


def _rows(report: Report) -> Iterator[tuple[str, str, str]]:
    """Name, value and style of each row."""
    calls = "1 call" if report.calls == 1 else f"{report.calls} calls"
    yield "called", f"{report.url} as {report.provider}, {report.codec}", ""
    yield "talked", f"{calls}, {report.call_seconds:.1f} s in all", ""
    for ending in report.ended:
        times = f"{ending.count} x " if report.calls > 1 else ""
        yield "ended", f"{times}{ending.reason}", "red" if ending.failed else ""
    if report.webhook_ms is not None:
        yield "webhook", f"answered after {_quantiles(report.webhook_ms)}", ""
    for command in report.commands:
        times = f"{command.count} x " if report.calls > 1 else ""
        yield "commanded", f"{times}{command.what}", ""
    if report.delay_ms is not None:
        yield "delay", _quantiles(report.delay_ms), ""
    if report.jitter_ms is not None:
        yield "jitter", _quantiles(report.jitter_ms), ""
    if report.heard is not None and echoes(report.heard):
        yield "heard", _heard(report.heard), ""
    yield "first audio", _quantiles(report.first_audio_ms, "none came"), ""
    if report.clears or report.clear_ms is not None:
        yield "clear", _quantiles(report.clear_ms, f"{report.clears} came, none after a barge-in"), ""
    if report.marks is not None:
        yield "marks", f"{report.marks.played} played, {report.marks.cleared} returned by a clear", ""
    yield "gaps", _gaps(report.gaps), ""
    if report.turn_ms is not None:
        yield "turns", f"{report.turn_ms.count}, from voice to voice {_quantiles(report.turn_ms)}", ""
    for number, turn in enumerate(report.turns, 1):
        yield f"turn {number}", _turn(turn), ""
    for line in report.conversation:
        yield line.who, f"{line.text} (interrupted)" if line.interrupted else line.text, ""
    for refused in report.refused:
        yield "refused", f"{refused.count} x {refused.code} {refused.title}: {refused.detail}", "red"
    messages = report.messages
    yield (
        "messages" if report.marks else "packets",
        f"{messages.sent_per_second:.1f} /s sent, {messages.received_per_second:.1f} /s received",
        "",
    )
    yield "this phone", f"{report.phone.cpu_ms_per_call_second:.2f} ms of CPU per call-second", ""
    late = report.phone.late_ms
    yield "", f"late by {_quantiles(late)}", "red" if late and late.p99 > LATE else ""
    if report.recorded:
        yield "recorded", report.recorded, ""


def _turn(turn: TurnDurations) -> str:
    stages = ", ".join(f"{name} {duration:.0f}" for name, duration in turn.stages_ms.items())
    return f"{turn.total_ms:.0f} ms" + (f": {stages}" if stages else "")


def _heard(heard: Heard) -> str:
    return f"{heard.delay_ms:.1f} ms late, correlation {heard.correlation:.4f}"


def _gaps(gaps: Gaps) -> str:
    said = [f"{gaps.count}, {gaps.ms:.1f} ms in all"] if gaps.count else []
    if gaps.lost_ms:
        said.append(f"{gaps.lost_ms:.1f} ms lost on the way")
    return "; ".join(said) or "none"


def _quantiles(durations: Quantiles | None, otherwise: str = "") -> str:
    if durations is None:
        return f"- ({otherwise})" if otherwise else "-"
    if durations.count == 1:
        return f"{durations.p50:.1f} ms"
    return f"{durations.p50:.1f} ms, p99 {durations.p99:.1f} ms, longest {durations.max:.1f} ms"
