"""Turns of a conversation: whose turn it is, what the agent says in its turn, how long the caller waits for it."""
