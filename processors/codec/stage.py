"""The stage that a pipeline puts where one processor yields another format than the next one takes."""

from __future__ import annotations

from voiceflow.audio import ANY, AudioFormat
from voiceflow.errors import AudioCodecError
from voiceflow.frames import AudioRaw
from voiceflow.processor import Processor
from voiceflow.processors.codec.convert import Chain, StreamResampler, not_whole


class Convert(Processor):
    """Audio of any format, converted to the format `to` as it streams.

    Frames that are in `to` already pass untouched. Resampled audio comes out at most 3 ms later, always the
    same; a run of frames of one format is one stream, whose last 3 ms come out when the next format begins.
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
        """Get ready for audio in `source`, so that what is missing is said before the call, not in it.

        Raises `MissingExtraError` where a codec's package is not installed, and `AudioCodecError` for rates
        that cannot be converted.
        """
        if source not in self._chains:
            chain = self._chains[source] = Chain(source, self.produces, StreamResampler)
            chain.push(b"")  # builds the law's tables here, not in the first frame

    def process(self, frame: AudioRaw) -> AudioRaw | None:
        """The frame in `produces`; None while it is too short for a sample. Raises `AudioCodecError`."""
        source, data = frame.format, frame.data
        if len(data) % source.frame_bytes:
            raise not_whole(frame)
        before = b"" if source is self._source else self._switch(source)
        if self._chain is None:
            return AudioRaw(before + data, self.produces) if before else frame
        data = before + self._chain.push(data)
        return AudioRaw(data, self.produces) if data else None

    def finish(self) -> AudioRaw | None:
        """What the resampler and G.722 still hold."""
        data = self._chain.finish() if self._chain else b""
        return AudioRaw(data, self.produces) if data else None

    def reset(self) -> None:
        """Forget the stream. After it: like new."""
        if self._chain:
            self._chain.reset()

    def _switch(self, source: AudioFormat) -> bytes:
        """Go on with another format; returns the end of the last one's stream."""
        self.expect(source)
        rest = self._chain.finish() if self._chain else b""
        self._source, self._chain = source, self._chains[source]
        return rest
