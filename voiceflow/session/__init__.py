"""The inner parts of a call: its log (log.py), the events that users subscribe to (events.py, subscribers.py), the
timing of its turns (turn_clock.py), how it waits for an answer (asking.py), and what it needs of the engine that runs
it (session.py)."""
