"""Voice activity detection: when in the caller's audio somebody speaks."""

from voiceflow.processors.vad.detector import PREROLL, Detector
from voiceflow.processors.vad.energy import EnergyVAD
from voiceflow.processors.vad.silero import SileroVAD
from voiceflow.processors.vad.vad import VAD

__all__ = ["PREROLL", "VAD", "Detector", "EnergyVAD", "SileroVAD"]
