"""Audio that no processor makes: that of `call.play`, and the hold line."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable

from voiceflow.audio import ANY, AudioFormat
from voiceflow.call import Call
from voiceflow.frames import AudioRaw
from voiceflow.linking.plan import Plan
from voiceflow.playout.playout import Playout
from voiceflow.processors.codec import convert
from voiceflow.turns.replies import Replies, Saying

from .graph import Graph

AHEAD = 2.0
"""How many seconds of audio are read ahead of what the caller hears."""


async def play(
    wav: str | os.PathLike[str] | AudioRaw,
    form: AudioFormat,
    saying: Saying,
    replies: Replies,
    playout: Playout,
    graph: Graph,
) -> None:
    """Say a WAV file or a piece of audio, in the format `form`, as a part of `saying`. A file is read while it is
    played; an interruption ends that. Raises what `stream_wav` raises, before anything is heard."""
    from voiceflow.sounds.wavstream import stream_wav  # only calls that play something need it

    def may_go_on() -> bool:
        """Whether there is room for more audio on the way to the caller, or no more is wanted."""
        waiting = sum(frame.duration for frame in saying.held if isinstance(frame, AudioRaw))
        return saying.is_over or (waiting + playout.queued < AHEAD and not graph.congested)

    async with contextlib.aclosing(stream_wav(wav, form)) as pieces:
        async for piece in pieces:
            if saying.is_over:
                break
            replies.add(saying, piece)
            await playout.change.until(may_go_on)


def hold_line(call: Call, form: AudioFormat) -> Callable[[], AudioRaw | None]:
    """Return a function that returns `call.hold` as it is then, converted once to the format `form`."""
    known: tuple[AudioRaw, AudioRaw] | None = None

    def line() -> AudioRaw | None:
        nonlocal known
        hold = call.hold
        if hold is None:
            return None
        if known is None or known[0] is not hold:
            known = hold, convert(hold, form)
        return known[1]

    return line


def speech_format(plan: Plan) -> AudioFormat:
    """The format that the first processor below the speaker wants, of those that ask for one."""
    below = (s.processor for s in plan.walk() if s.speech and not s.speaker and not s.inserted)
    return next(p.accepts for p in below if p.signature.takes(AudioRaw) and p.accepts is not ANY)
