"""Speaks for ten seconds at each key, after a `Clear` of the speech that still plays."""

from collections.abc import Iterator

from voiceflow import DTMF, AudioRaw, Call, Clear, Pipeline, Processor

SPEECH = AudioRaw(bytes(320_000))


class Announcement(Processor):
    def process(self, frame: DTMF) -> Iterator[Clear | AudioRaw]:
        yield Clear()
        yield SPEECH


def pipeline(call: Call) -> Pipeline:
    return call.source | Announcement() | call.sink
