"""Echo: callers hear themselves. The shortest pipeline, and the first thing to try on a new line."""

from voiceflow import Call, Pipeline


def pipeline(call: Call) -> Pipeline:
    return call.source | call.sink
