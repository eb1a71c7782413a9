"""How frames move: the queue between two tasks (link.py), how a processor's frames are treated (dispatch.py), the check
that drops stale speech (epoch.py), and waiting for changes (notifier.py)."""
