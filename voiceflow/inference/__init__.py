"""What one process shares between all its calls: threads for blocking work (pools.py, threads.py) and for
what may hang (daemon_thread.py), time limits that do not count the wait for a thread (work_clock.py), calls of users'
functions in any form (user_functions.py) and of whatever they raise (containment.py), work that several calls need
(single_flight.py), models in memory (loaded_models.py)."""

from voiceflow.inference.containment import contained
from voiceflow.inference.pools import SPARE, InferencePool, loading_pool, recognition_pool, shared_pool, waiting_pool
from voiceflow.inference.single_flight import Flights
from voiceflow.inference.user_functions import called, waits
from voiceflow.inference.work_clock import NoThreadError, TooLateError, WorkClock

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
    "waits",
]
