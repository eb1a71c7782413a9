"""Speech recognition: from the caller's audio to transcripts."""
