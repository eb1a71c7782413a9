"""How frames move: the queue between two tasks (link.py), what a frame is to the processor that gets or yields it
(dispatch.py), and the one place where a processor's work may speak (epoch.py)."""
