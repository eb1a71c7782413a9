"""Linking: turns the pipeline that a user wrote into the plan that the engine runs (plan.py), and inserts the audio
conversions that it needs (linker.py)."""

from voiceflow.linking.linker import link
from voiceflow.linking.plan import Fork, Plan, Step, walk

__all__ = ["Fork", "Plan", "Step", "link", "walk"]
