"""Text on its way to speech: markdown removed, sentences split, as a stream."""
