"""The stage that a pipeline inserts where one processor yields another audio format than the next one takes."""

from __future__ import annotations

from voiceflow.audio import ANY, AudioFormat
from voiceflow.errors import AudioCodecError
from voiceflow.frames import AudioRaw
from voiceflow.processor import Processor
from voiceflow.processors.codec.convert import Chain, StreamResampler, not_whole


class Convert(Processor):
    """Converts audio of any format to the format `to` as it streams.

    Frames that are in `to` already pass untouched. Resampling adds a constant delay, at most 3 ms if both rates are
    at least 8 kHz. Consecutive frames of one format are one stream: its end comes out when the next format begins.
    """

    accepts = ANY

    def __init__(self, to: AudioFormat) -> None:
        if to is ANY:
            raise AudioCodecError("cannot convert to `ANY`: name an encoding and a rate")
        self.produces = to
        self._chains: dict[AudioFormat, Chain | None] = {to: None}
        self._source = to
        self._chain: Chain | None = None

    def expect(self, source: AudioFormat) -> None:
        """Get ready for audio in `source`, so that what is missing is reported before the call, not during it.

        Raises `MissingExtraError` where a codec's package is not installed, and `AudioCodecError` for rates
        that cannot be converted.
        """
        if source not in self._chains:
            chain = self._chains[source] = Chain(source, self.produces, StreamResampler)
            chain.push(b"")  # builds G.711's tables now, not at the first frame

    def process(self, frame: AudioRaw) -> AudioRaw | None:
        """The frame in `produces`, or None if it completes no sample there. Raises `AudioCodecError`."""
        source, data = frame.format, frame.data
        if len(data) % source.frame_bytes:
            raise not_whole(frame)
        before = b"" if source is self._source else self._switch(source)
        if self._chain is None:
            return AudioRaw(before + data, self.produces) if before else frame
        data = before + self._chain.push(data)
        return AudioRaw(data, self.produces) if data else None

    def finish(self) -> AudioRaw | None:
        """The audio that the resampler and the G.722 encoder still hold."""
        data = self._chain.finish() if self._chain else b""
        return AudioRaw(data, self.produces) if data else None

    def reset(self) -> None:
        """Forget the stream and get ready for a new one."""
        if self._chain:
            self._chain.reset()

    def _switch(self, source: AudioFormat) -> bytes:
        """Go on with `source`; returns the end of the stream in the format before it, converted."""
        self.expect(source)
        rest = self._chain.finish() if self._chain else b""
        self._source, self._chain = source, self._chains[source]
        return rest
