"""Model weights: where they come from, whether they are what they claim, where they are kept."""
