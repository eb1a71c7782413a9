"""The way from the pipeline to the caller's ear: queue and timer (playout.py), pacing (feed.py), and the record of what
was heard (ledger.py)."""
