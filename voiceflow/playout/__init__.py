"""The way from the pipeline to the caller's ear: pacing (playout.py), and the account of what was heard (ledger.py)."""
