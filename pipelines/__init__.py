"""Ready-made pipelines: run one with `voiceflow run NAME`."""
