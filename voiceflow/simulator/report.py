"""The result of `voiceflow call`, which it prints as a table or as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec

from voiceflow.simulator.load import Calls
from voiceflow.simulator.measure import Quantiles, Refusals


class ReportedEnding(msgspec.Struct, frozen=True):
    """How many calls ended for one reason."""

    reason: str
    failed: bool
    count: int


class Heard(msgspec.Struct, frozen=True):
    """How what the first caller heard compares with what that caller said."""

    delay_ms: float
    """From mouth to ear, the carrier's 20 ms of packetization and its jitter buffer included."""
    correlation: float
    """Normalised: 1 for the same audio, about 0 for other audio. Every gap lowers it, since what follows comes
    later."""
    correlation_without_gaps: float
    """The correlation with the audio that the agent sent, without the gaps in its playout."""


class ReportedCommand(msgspec.Struct, frozen=True):
    """How often the carrier's REST interface was told one thing."""

    what: str
    count: int


class Said(msgspec.Struct, frozen=True):
    """A line of a conversation, as a page shows it."""

    who: str
    """caller or agent"""
    text: str
    """In a browser's call as the server tells it: for the agent, the words that were heard or, if the call ended before
    the server told those, the whole reply. In a carrier's call the words of the script, else what Whisper hears."""
    interrupted: bool = False
    at_seconds: float | None = None
    """When it began. None in browsers' calls."""


class TurnDurations(msgspec.Struct, frozen=True):
    """How long a turn took from voice to voice, and each part of it as far as the server tells it."""

    total_ms: float
    stages_ms: dict[str, float]


class Marks(msgspec.Struct, frozen=True):
    """How many marks were returned to the server."""

    played: int
    cleared: int
    """Returned because of a clear."""


class Gaps(msgspec.Struct, frozen=True):
    """Holes in what the agent said: the playout had run empty."""

    count: int
    ms: float
    lost_ms: float
    """Audio that the network lost, or brought too late. In browsers' calls only."""


class Traffic(msgspec.Struct, frozen=True):
    """Messages in carriers' calls, packets of audio in browsers'."""

    sent: int
    received: int
    sent_per_second: float
    received_per_second: float


class Phone(msgspec.Struct, frozen=True):
    """How busy and how late the simulated phone was. If it is late, the figures are about itself, not the server."""

    cpu_ms_per_call_second: float
    late_ms: Quantiles | None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The result of some calls."""

    url: str
    provider: str
    codec: str
    calls: int
    failed: int
    ended: list[ReportedEnding]
    call_seconds: float
    """Of all calls together."""
    webhook_ms: Quantiles | None
    """From a webhook to its answer. None: the calls began without."""
    commands: list[ReportedCommand]
    """What the carrier's REST interface was told."""
    delay_ms: Quantiles | None
    """From sending 20 ms of audio to receiving what the server made of it. None if it is no echo, or lost audio."""
    jitter_ms: Quantiles | None
    """By how much the delay differs from one piece to the next (RFC 3550, 6.4.1); for a browser, on the way back
    alone."""
    heard: Heard | None
    """None if the caller or the agent was silent."""
    first_audio_ms: Quantiles | None
    """From the stream's start message, or from when a browser is connected, to the agent's first audio."""
    clears: int
    clear_ms: Quantiles | None
    """From the barge-in to `clear`. None if there was no barge-in, or no clear came."""
    marks: Marks | None
    """None in browsers' calls, which have no marks."""
    turn_ms: Quantiles | None
    """From the caller's last sound to the agent's first: in browsers' calls as the server tells it, in carriers' as the
    first caller heard it. None if there was no answer."""
    turns: Sequence[TurnDurations]
    """The turns of the first call. None are found in an echo."""
    conversation: Sequence[Said]
    """The conversation of the first call."""
    gaps: Gaps
    refused: list[Refusals]
    """What the server sent and the carrier would not have accepted."""
    messages: Traffic
    phone: Phone
    recorded: str | None


STOPPED = "stopped by the user"
ECHO = 0.5
"""The least correlation at which what the agent sent is taken for an echo of what was said."""


def echoes(heard: Heard | None) -> bool:
    """Whether what came back is what was said."""
    return heard is not None and heard.correlation_without_gaps >= ECHO


def report(
    calls: Calls[Any],
    *,
    url: str,
    provider: str,
    codec: str,
    heard: Heard | None,
    recorded: str | None,
    turns: Sequence[TurnDurations] = (),
    conversation: Sequence[Said] = (),
) -> Report:
    """The report on `calls`, which must have run."""
    tally = calls.tally
    is_browser = provider == "webrtc"
    if not is_browser:
        for turn in turns:
            tally.turn.add(turn.total_ms / 1000)
    seconds = sum(caller.seconds for caller in calls.callers)
    endings = Counter([*(caller.ended for caller in calls.callers), *calls.refused])
    is_echo = echoes(heard) and not tally.not_echoes
    took = max(calls.took, 0.001)
    return Report(
        url=url.partition("?")[0],  # the query may have a secret
        provider=provider,
        codec=codec,
        calls=endings.total(),
        failed=sum(count for ended, count in endings.items() if ended is not None and ended.failed),
        ended=[
            ReportedEnding(ended.reason if ended else STOPPED, bool(ended and ended.failed), count)
            for ended, count in endings.most_common()
        ],
        call_seconds=round(seconds, 2),
        webhook_ms=tally.webhook.quantiles(),
        commands=[ReportedCommand(what, count) for what, count in tally.commands.most_common()],
        delay_ms=tally.delay.quantiles() if is_echo else None,
        jitter_ms=tally.jitter.quantiles() if is_echo or is_browser else None,
        heard=heard,
        first_audio_ms=tally.first_audio.quantiles(),
        clears=tally.clears,
        clear_ms=tally.clear.quantiles(),
        marks=None if is_browser else Marks(tally.marks_played, tally.marks_cleared),
        turn_ms=tally.turn.quantiles(),
        turns=turns,
        conversation=conversation,
        gaps=Gaps(tally.gaps, round(tally.gap_seconds * 1000, 1), round(tally.lost * 1000, 1)),
        refused=list(tally.refusals.values()),
        messages=Traffic(tally.sent, tally.received, round(tally.sent / took, 1), round(tally.received / took, 1)),
        phone=Phone(round(calls.cpu_seconds * 1000 / max(seconds, 0.02), 3), tally.late.quantiles()),
        recorded=recorded,
    )
