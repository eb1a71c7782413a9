"""Speech synthesis: from sentences to audio with marks."""
