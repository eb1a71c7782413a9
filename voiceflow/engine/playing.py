"""Audio that no processor makes: what `call.play` is given, and the hold line."""

from __future__ import annotations

import os
from collections.abc import Callable

from voiceflow.audio import ANY, AudioFormat
from voiceflow.call import Call
from voiceflow.frames import AudioRaw
from voiceflow.inference import waiting_pool
from voiceflow.linking.plan import Plan
from voiceflow.processors.codec import convert
from voiceflow.sounds.wavfile import read_wav


async def audio_of(wav: str | os.PathLike[str] | AudioRaw, form: AudioFormat) -> AudioRaw:
    """A WAV file, or a piece of audio, in the format `form`."""
    audio = wav if isinstance(wav, AudioRaw) else await waiting_pool().run(read_wav, wav)
    return await waiting_pool().run(convert, audio, form)


def hold_line(call: Call, form: AudioFormat) -> Callable[[], AudioRaw | None]:
    """What gives the hold line that `call` has at the moment, in the format `form`, converted once."""
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
    """What the first processor below the speaker that asks for a format wants."""
    below = (s.processor for s in plan.walk() if s.speech and not s.speaker and not s.inserted)
    return next(p.accepts for p in below if p.signature.takes(AudioRaw) and p.accepts is not ANY)
