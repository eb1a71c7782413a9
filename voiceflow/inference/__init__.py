"""What one process shares between all its calls: threads for blocking work (pools.py, threads.py), time limits that
stop counting while work waits for a thread (workclock.py), calls of users' functions in any form (functions.py) and of
whatever they raise (failures.py), work that several calls need (flights.py), models in memory (modelcache.py), and the
watch over the event loop (looplag.py)."""

from voiceflow.inference.failures import contained
from voiceflow.inference.flights import Flights
from voiceflow.inference.functions import called
from voiceflow.inference.pools import SPARE, InferencePool, loading_pool, recognition_pool, shared_pool, waiting_pool
from voiceflow.inference.workclock import NoThreadError, TooLateError, WorkClock

__all__ = [
    "SPARE",
    "Flights",
    "InferencePool",
    "NoThreadError",
    "TooLateError",
    "WorkClock",
    "called",
    "contained",
    "loading_pool",
    "recognition_pool",
    "shared_pool",
    "waiting_pool",
]
