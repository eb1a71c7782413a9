"""Voice activity: when the caller begins and stops to speak."""
