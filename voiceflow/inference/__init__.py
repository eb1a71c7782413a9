"""What one process shares between all its calls: threads for blocking work (pools.py), functions of users in any form
(functions.py), models in memory (modelcache.py), and the watch over the event loop (looplag.py)."""

from voiceflow.inference.functions import called
from voiceflow.inference.pools import SPARE, InferencePool, recognition_pool, shared_pool, waiting_pool

__all__ = ["SPARE", "InferencePool", "called", "recognition_pool", "shared_pool", "waiting_pool"]
