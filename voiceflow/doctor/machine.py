"""What this machine has: Python, packages, models, Ollama."""

from __future__ import annotations

import platform
import re
import shutil
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, requires, version

import httpx

from voiceflow import weights
from voiceflow.config.settings import origin
from voiceflow.errors import DISTRIBUTION, VoiceflowError

from .finding import DEADLINE, Finding, Setting, Status, in_thread

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
    "g722": "G.722, by which some carriers have a wider band",
}
KEYS = {"claude": "ANTHROPIC_API_KEY", "openai": "OPENAI_API_KEY"}
"""The language models that are reached with a key, in the order in which they are chosen."""
UNASKED = "neither LLM_PROVIDER nor a key is set"


async def python(setting: Setting) -> Finding:
    ours = version(DISTRIBUTION)
    said = f"{platform.python_version()} on {platform.system()} {platform.machine()}, {DISTRIBUTION} {ours}"
    return Finding("python", "ok", said)


async def configuration(setting: Setting) -> Finding:
    if setting.error:
        return Finding("configuration", "fail", setting.error, "correct it; .env.example documents the variables")
    return Finding("configuration", "ok", origin(setting.file))


async def extra(setting: Setting, name: str) -> Finding:
    """Whether what an extra installs is there."""
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
    if name == _llm(setting.environment)[0]:
        status = _without_llm(setting)
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
        others = [other.name for other in weights.catalogue if other.kind == "piper" and other.wheels]
        here = [other.name for other in weights.catalogue if other.name in others and weights.where(other)]
        stand_in = f", without a network {here[0]} is used" if here else ""
    said = f"{name} is not here: {model.size / 1e6:.0f} MB are downloaded when it is first used{stand_in}"
    return Finding(check, "warn", said, f"voiceflow models download {name}")


async def language_model(setting: Setting) -> Finding:
    """Which one `AutoLLM` uses, and why; keys are not shown."""
    chosen, why = _llm(setting.environment)
    if chosen not in (*KEYS, "ollama"):
        return Finding("language model", "fail", f"{why}: expected claude, openai or ollama", "correct LLM_PROVIDER")
    if chosen in KEYS and not setting.environment.get(KEYS[chosen]):
        said = f"{chosen}, because {why}, but {KEYS[chosen]} is not set"
        return Finding("language model", "fail", said, f"set {KEYS[chosen]} in the environment or in .env")
    local = "" if chosen == "ollama" else "; LLM_PROVIDER=ollama keeps what is said on this machine"
    return Finding("language model", "ok", f"{chosen}, because {why}{local}")


def _llm(environment: Mapping[str, str]) -> tuple[str, str]:
    if named := environment.get("LLM_PROVIDER", "").strip().lower():
        return named, f"LLM_PROVIDER is {named}"
    for provider, key in KEYS.items():
        if environment.get(key):
            return provider, f"{key} is set"
    return "ollama", UNASKED


def _without_llm(setting: Setting) -> Status:
    """How bad it is that the language model which is chosen cannot be used. The built-in responder stands in for one
    that nobody asked for."""
    return "warn" if _llm(setting.environment)[1] == UNASKED else "fail"


async def ollama(setting: Setting) -> Finding:
    """Whether Ollama answers and has the models of the routes."""
    url = _ollama_url(setting.environment)
    chosen, why = _llm(setting.environment)
    needed = chosen == "ollama"
    bad = _without_llm(setting) if needed else "ok"
    models = sorted({route.llm_model for route in setting.routes})
    try:
        async with httpx.AsyncClient(timeout=DEADLINE / 2) as client:
            answer = await client.get(f"{url}/api/tags")
            answer.raise_for_status()
            pulled = {model["name"].removesuffix(":latest") for model in answer.json()["models"]}
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError, AttributeError) as error:
        start = "ollama serve" if shutil.which("ollama") else "install it from https://ollama.com/download"
        told = f"no answer from {url}: {str(error) or type(error).__name__}"
        if not needed:
            return Finding("ollama", "ok", f"{_public(told)} (not needed, because {why})")
        return Finding("ollama", bad, _public(told), start)
    missing = [model for model in models if model.removesuffix(":latest") not in pulled]
    if missing and needed:
        remedy = " && ".join(f"ollama pull {model}" for model in missing)
        return Finding("ollama", bad, f"{_public(url)} answers, but does not have {', '.join(missing)}", remedy)
    return Finding("ollama", "ok", f"{_public(url)} answers, with {', '.join(sorted(pulled)) or 'no model'}")


def _public(text: str) -> str:
    """Without the user and password that an address may hold."""
    return re.sub(r"//[^/@\s]*@", "//", text)


def _ollama_url(environment: Mapping[str, str]) -> str:
    """Its address, as its own clients read the variables: without a scheme the port is 11434."""
    named = environment.get("OLLAMA_URL") or environment.get("OLLAMA_HOST") or "localhost"
    if "://" in named:
        return named.rstrip("/")
    return f"http://{named}" if re.search(r":\d+$", named) else f"http://{named}:11434"
