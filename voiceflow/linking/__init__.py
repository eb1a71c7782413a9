"""Linking: from the pipeline that a user wrote to the plan that the engine runs (plan.py), with the conversions that
the audio needs put in (linker.py)."""

from voiceflow.linking.linker import link
from voiceflow.linking.plan import Fork, Plan, Step, walk

__all__ = ["Fork", "Plan", "Step", "link", "walk"]
