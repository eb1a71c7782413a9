"""Ready-made processors. Each module is one step that a pipeline may have."""
