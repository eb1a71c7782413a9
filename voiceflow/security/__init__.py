"""Who may call: local requests, carriers that sign, and streams that bear a token of ours (DESIGN section 8)."""
