"""Who answers callers of the page: an echo is no agent, and without a language model a few rules answer."""

from __future__ import annotations

from typing import Literal, TypeAlias

from voiceflow.call import Build
from voiceflow.inference import contained, loaded_models
from voiceflow.linking.linker import link
from voiceflow.logs import get_logger
from voiceflow.processors.llm.auto import AutoLLM
from voiceflow.transports.dry_call import nominal_call

log = get_logger("voiceflow.server")

Answers: TypeAlias = Literal["agent", "rules", "echo"]


async def who_answers(build: Build) -> Answers:
    """Who answers in calls from the page: an "agent"; "rules", where no language model was found; or nobody in an
    "echo", in which callers hear themselves."""
    try:
        with contained():
            plan = link(build(nominal_call("webrtc")))
            if plan.is_echo:
                return "echo"
            models = [step.processor for step in plan.walk() if isinstance(step.processor, AutoLLM)]
            await loaded_models.load(models)
            return "rules" if any(model.by_rules for model in models) else "agent"
    except Exception as error:  # a pipeline that is for some numbers alone; its calls from the page say what is wrong
        log.debug("who answers on the page is not known", exc_info=error)
        return "agent"
