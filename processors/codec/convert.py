"""Conversion from one audio format to another, by the shortest chain of steps.

The steps are decode, down-mix, resample, encode and duplicate, each only where it is needed. Mono becomes stereo
last, when its samples are smallest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

import numpy as np

from voiceflow.audio import ANY, AudioFormat
from voiceflow.errors import AudioCodecError
from voiceflow.frames import AudioRaw
from voiceflow.processors.codec import g711, mix
from voiceflow.processors.codec.g722 import G722Decoder, G722Encoder
from voiceflow.processors.codec.resample import Resampler

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Stateful(Protocol):
    """A step that keeps state between the pieces of a stream. Audio is bytes where coded, else 16-bit samples."""

    def push(self, audio: Any, /) -> Any:
        """The audio that this piece completes."""

    def finish(self) -> Any:
        """Return what is left at the end of the stream, or None, and reset."""

    def reset(self) -> None:
        """Forget the stream and get ready for a new one."""


class Stateless:
    """A step that converts each piece by itself."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.push = function

    def finish(self) -> None:
        """Nothing is ever left over."""

    def reset(self) -> None:
        """Nothing is kept."""


ResamplerType: TypeAlias = Callable[[int, int, int, bool], Stateful]
"""Makes a resampler from the rate that comes in and the rate that goes out, both in Hz, the number of channels, and
whether its output must be limited to 16 bits."""


class Conversion(NamedTuple):
    """One step of a chain."""

    name: str
    make: Callable[[], Stateful]
    """Makes the converter of one stream."""


def steps(source: AudioFormat, to: AudioFormat) -> tuple[str, ...]:
    """The names of the steps from `source` to `to`, in order; none for equal formats.

    >>> steps(AudioFormat("mulaw", 8_000), AudioFormat("pcm16", 16_000))
    ('mulaw to pcm16', '8000 to 16000 Hz')
    """
    return tuple(step.name for step in _plan(source, to, StreamResampler))


def convert(frame: AudioRaw, format: AudioFormat) -> AudioRaw:
    """The whole `frame` in another format, without any delay except G.722's own. For streams use `Convert`.

    Raises `AudioCodecError` if the frame ends within a sample or its format cannot be converted, and
    `MissingExtraError` where a codec's package is not installed.
    """
    if len(frame.data) % frame.format.frame_bytes:
        raise not_whole(frame)
    if frame.format is format:
        return frame
    chain = Chain(frame.format, format, WholeResampler)
    return AudioRaw(chain.push(frame.data) + chain.finish(), format)


def not_whole(frame: AudioRaw) -> AudioCodecError:
    """The error for a frame that ends within a sample."""
    return AudioCodecError(
        f"{len(frame.data)} bytes are not whole samples of {frame.format}, which have "
        f"{frame.format.frame_bytes} bytes: carry the cut sample over to the next frame"
    )


class Chain:
    """The converters of one stream, from bytes to bytes."""

    def __init__(self, source: AudioFormat, to: AudioFormat, resampler: ResamplerType) -> None:
        made = [step.make() for step in _plan(source, to, resampler)]
        if source.encoding == "pcm16":
            made.insert(0, Stateless(_samples))
        if to.encoding == "pcm16" and to.channels <= source.channels:
            made.append(Stateless(np.ndarray.tobytes))
        self._converters = made
        self._pushes = [converter.push for converter in made]

    def push(self, data: bytes) -> bytes:
        """The audio that this piece completes, which may be none."""
        audio: Any = data
        for push in self._pushes:
            audio = push(audio)
        return audio  # type: ignore[no-any-return]

    def finish(self) -> bytes:
        """Return what the converters still hold, and reset."""
        return b"".join(self._tails())

    def reset(self) -> None:
        """Forget the stream and get ready for a new one."""
        for converter in self._converters:
            converter.reset()

    def _tails(self) -> Iterator[bytes]:
        for place, converter in enumerate(self._converters, 1):
            tail = converter.finish()
            if tail is not None:
                for push in self._pushes[place:]:
                    tail = push(tail)
                yield tail


class StreamResampler:
    """`Resampler` for one or two interleaved channels."""

    def __init__(self, source: int, target: int, channels: int, limited: bool) -> None:
        self._channels = [Resampler(source, target) for _ in range(channels)]
        self._pushes = [mono.push if limited else mono.push_unlimited for mono in self._channels]
        self.push = self._pushes[0] if channels == 1 else self._push  # mono needs no interleaving

    def _push(self, samples: NDArray[np.int16]) -> NDArray[Any]:
        count = len(self._pushes)
        return _interleave([push(samples[i::count]) for i, push in enumerate(self._pushes)])

    def finish(self) -> NDArray[np.int16]:
        return _interleave([mono.finish() for mono in self._channels])

    def reset(self) -> None:
        for mono in self._channels:
            mono.reset()


class WholeResampler:
    """Resamples a whole recording in one piece, by soxr, which looks ahead and so adds no delay."""

    def __init__(self, source: int, target: int, channels: int, limited: bool) -> None:
        self._rates = source, target
        self._channels = channels

    def push(self, samples: NDArray[np.int16]) -> NDArray[np.int16]:
        import soxr

        # In floats: soxr dithers 16-bit output, which turns silence into noise.
        frames = samples.reshape(-1, self._channels).astype(np.float64)
        signal: NDArray[np.float64] = soxr.resample(frames, *self._rates, quality="VHQ").reshape(-1)
        return np.rint(signal).clip(-32_768, 32_767).astype(np.int16)

    def finish(self) -> None:
        """Nothing is ever left over."""

    def reset(self) -> None:
        """Nothing is kept."""


def _samples(data: bytes) -> NDArray[np.int16]:
    return np.frombuffer(data, "<i2")


def _samples_of_big_endian(data: bytes) -> NDArray[np.int16]:
    return np.frombuffer(data, ">i2").astype(np.int16)


def _big_endian(samples: NDArray[np.int16]) -> bytes:
    return samples.astype(">i2").tobytes()


def _interleave(channels: list[NDArray[Any]]) -> NDArray[Any]:
    return channels[0] if len(channels) == 1 else np.stack(channels, axis=-1).reshape(-1)


def _plan(source: AudioFormat, to: AudioFormat, resampler: ResamplerType) -> Iterator[Conversion]:
    if ANY in (source, to):
        raise AudioCodecError(f"cannot convert {source} to {to}: name both encodings and rates")
    downmix, resample = source.channels > to.channels, source.rate != to.rate
    codes = source.encoding, to.encoding
    if codes in _LAW_TO_LAW and not (downmix or resample):
        yield Conversion(f"{source.encoding} to {to.encoding}", partial(Stateless, _LAW_TO_LAW[codes]))
    elif source.encoding != to.encoding or downmix or resample:
        if source.encoding != "pcm16":
            yield Conversion(f"{source.encoding} to pcm16", _DECODERS[source.encoding])
        if downmix:
            yield Conversion("stereo to mono", partial(Stateless, mix.downmix))
        if resample:
            channels, limited = min(source.channels, to.channels), to.encoding not in _LIMITING
            yield Conversion(
                f"{source.rate} to {to.rate} Hz", partial(resampler, source.rate, to.rate, channels, limited)
            )
        if to.encoding != "pcm16":
            yield Conversion(f"pcm16 to {to.encoding}", _ENCODERS[to.encoding])
    if to.channels > source.channels:
        size = to.frame_bytes // to.channels
        yield Conversion("mono to stereo", partial(Stateless, partial(mix.duplicate, size=size)))


_LIMITING = ("mulaw", "alaw")
"""Encodings whose tables limit what is beyond full scale, so that the resampler need not."""
_LAW_TO_LAW = {("mulaw", "alaw"): g711.mulaw_to_alaw, ("alaw", "mulaw"): g711.alaw_to_mulaw}
_DECODERS: dict[str, Callable[[], Stateful]] = {
    "pcm16be": partial(Stateless, _samples_of_big_endian),
    "mulaw": partial(Stateless, g711.mulaw_decode),
    "alaw": partial(Stateless, g711.alaw_decode),
    "g722": G722Decoder,
}
_ENCODERS: dict[str, Callable[[], Stateful]] = {
    "pcm16be": partial(Stateless, _big_endian),
    "mulaw": partial(Stateless, g711.mulaw_encode),
    "alaw": partial(Stateless, g711.alaw_encode),
    "g722": G722Encoder,
}
