"""Whose turn it is: when the caller interrupts the agent."""
