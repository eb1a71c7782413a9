"""The inner parts of a call: its log (log.py), the callbacks that are told of what happens (events.py, subscribers.py,
turn_clock.py), and what it needs of the engine that runs it (session.py)."""
