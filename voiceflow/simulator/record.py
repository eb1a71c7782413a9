"""Turns a call into recordings, sample by sample: the caller as sent, the agent as it was really played."""

from __future__ import annotations

import numpy as np

from voiceflow.audio import AudioFormat
from voiceflow.frames import AudioRaw
from voiceflow.processors.codec import convert
from voiceflow.simulator.player import Player


def decoded(data: bytes, format: AudioFormat) -> AudioRaw:
    """Audio as it goes over the wire, decoded to pcm16 at its own rate."""
    return convert(AudioRaw(data, format), AudioFormat("pcm16", format.rate))


def played(player: Player, zero: float) -> AudioRaw:
    """What `player` has played, from the time `zero` on: silence where it had nothing to play."""
    audio = decoded(player.recording, player.format)
    rate = audio.format.rate
    samples_per_byte = rate / player.format.byte_rate
    heard: list[bytes] = []
    length = 0
    for span in player.spans:
        gap = max(0, round((span.start - zero) * rate) - length)
        first = round(span.offset * samples_per_byte)
        samples = round(span.size * samples_per_byte)
        heard += [bytes(2 * gap), audio.data[2 * first : 2 * (first + samples)]]
        length += gap + samples
    return AudioRaw(b"".join(heard), audio.format)


def stereo(left: AudioRaw, right: AudioRaw) -> AudioRaw:
    """Two voices side by side, at one rate. The shorter one is silent at its end."""
    both = np.zeros((max(len(left.samples), len(right.samples)), 2), "<i2")
    both[: len(left.samples), 0] = left.samples
    both[: len(right.samples), 1] = right.samples
    return AudioRaw(both.tobytes(), AudioFormat("pcm16", left.format.rate, 2))
