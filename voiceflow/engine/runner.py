"""The engine's entry point: links the pipeline that a user built for a call, and runs the call."""

from __future__ import annotations

from voiceflow.call import Build, Call
from voiceflow.call_limits import Ended
from voiceflow.errors import CallError
from voiceflow.inference import contained, loaded_models
from voiceflow.linking.linker import link
from voiceflow.pipeline import Element

from .running_call import RunningCall


async def run_call(call: Call, build: Build) -> Ended:
    """Run `call` through `build(call)` to its end: see `Call.run`."""
    if call.session is not None:
        raise CallError(f"call {call.id} has already run: make a new Call")
    with contained():
        plan = link(build(call))
    for step in plan.walk():
        step.processor.call = call
    running = call.session = RunningCall(call, plan)
    return await running.run()


async def preload(pipeline: Element, call: Call | None = None) -> None:
    """Load the models of `pipeline` before the first call, as a call waits at most `Limits.open` (10 s) for each. No
    call may use this `pipeline` itself, nor `call`, for which it was built: that one tells the language of calls to
    come. Raises what linking and loading raise."""
    await loaded_models.load([step.processor for step in link(pipeline).walk()], call=call)


Call.runner = run_call
