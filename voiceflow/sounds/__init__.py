"""Sounds that come from no caller and no voice: WAV files and the telephone's key tones."""
