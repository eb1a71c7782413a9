"""The inner parts of a call: its log (log.py), whom it tells of what happens (events.py, subscribers.py, turnclock.py),
and what it needs of the engine that runs it (session.py)."""
