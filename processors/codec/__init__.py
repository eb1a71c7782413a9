"""Conversion of audio to the format that is wanted: G.711, G.722, byte order, channels and sample rates.

Pipelines insert `Convert` where formats differ; `convert` is for whole recordings and for tests.
"""

from voiceflow.processors.codec.convert import convert, steps
from voiceflow.processors.codec.resample import Resampler
from voiceflow.processors.codec.stage import Convert

__all__ = ["Convert", "Resampler", "convert", "steps"]
