"""Language models: what the agent says, from a history that equals what the caller heard."""
