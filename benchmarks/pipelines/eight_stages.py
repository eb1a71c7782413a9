"""An echo at 16 kHz through eight more stages: Twilio's 8 kHz mu-law is decoded, resampled twice and encoded."""

from voiceflow import AudioRaw, Call, Pipeline, Processor


class Pass(Processor):
    def process(self, frame: AudioRaw) -> AudioRaw:
        return frame


def pipeline(call: Call) -> Pipeline:
    return Pipeline(call.source, *(Pass() for _ in range(8)), call.sink)
