from typing import ClassVar

import numpy as np

from voiceflow import CANONICAL, AudioRaw, Processor
from voiceflow.processors.vad import VAD, EnergyVAD, SileroVAD

from . import Example, speech_like

QUIET = tuple(AudioRaw(bytes(640)) for _ in range(3))
LOUD = tuple(AudioRaw((12_000 * np.sin(np.arange(320) * step)).astype("<i2").tobytes()) for step in (0.1, 0.2, 0.3))


class Anything(VAD):
    """Takes for a voice what is not silence."""

    window: ClassVar[int] = 64

    def __init__(self) -> None:
        super().__init__(confirm=0.01, silence=0.02, preroll=0.01)

    def is_voiced(self, window, level):
        return level > 0


EXAMPLES: dict[type[Processor], list[Example]] = {
    VAD: [Example(Anything, (*QUIET, *LOUD, *QUIET, *LOUD))],
    EnergyVAD: [
        Example(EnergyVAD, speech_like(CANONICAL)),
        Example(EnergyVAD, (*QUIET, *LOUD)),
        Example(lambda: EnergyVAD(silence=0.04), (*QUIET, *LOUD, *QUIET)),
        Example(EnergyVAD, (AudioRaw(bytes(2)), *LOUD, AudioRaw(LOUD[0].data[:202]), *QUIET)),
    ],
    SileroVAD: [
        Example(SileroVAD, speech_like(CANONICAL)),
        Example(lambda: SileroVAD(confirm=0.0), (*QUIET, *LOUD)),
        Example(lambda: SileroVAD(threshold=0.0, silence=0.04), (*QUIET, *LOUD, *QUIET)),
    ],
}
