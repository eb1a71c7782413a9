"""A voice assistant: listens, thinks, speaks, and lets itself be interrupted."""

from voiceflow import Call, Pipeline
from voiceflow.processors import AutoLLM, BargeIn, Greeting, PiperTTS, SileroVAD, WhisperSTT


def pipeline(call: Call) -> Pipeline:
    return (
        call.source
        | SileroVAD()
        | BargeIn()
        | WhisperSTT("base", call.route.language or call.language)
        | Greeting()
        | AutoLLM(call.route.llm_model, system=call.route.system_prompt)
        | PiperTTS(call.route.tts_voice)
        | call.sink
    )
