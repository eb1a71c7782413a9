"""From the options of `voiceflow call` to what its callers do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from voiceflow import simulator, weights
from voiceflow.errors import ConfigError, WeightsError
from voiceflow.frames import AudioRaw
from voiceflow.simulator.cues import CallerCue, CuedScript
from voiceflow.simulator.script import PIECE, Network, Script, first_loud, pieces, write
from voiceflow.sounds.wavfile import read_wav

from .scriptfile import ScriptFile

if TYPE_CHECKING:
    from .call_options import CallOptions

SPEECH = Path(simulator.__file__).with_name("speech.wav")
"""What the caller says unless told otherwise."""


def script_of(asked: CallOptions, file: ScriptFile | None) -> Script:
    """What each caller does, by the options and by the file of --script, which was read. Raises `VoiceflowError`."""
    if file is not None:
        return _cued(asked, _cues(file, asked))
    if len(asked.play) > 1:
        said = [CallerCue(pieces(read_wav(wav), asked.format)) for wav in asked.play]
        said[0] = CallerCue(said[0].speech, when="at")
        return _cued(asked, [*said, CallerCue(keys=asked.digits, when="after")] if asked.digits else said)
    spoken = asked.play[0] if asked.play else None
    if spoken is None and not asked.digits:
        spoken = SPEECH
    return write(
        read_wav(spoken) if spoken else None,
        asked.format,
        digits=asked.digits,
        barge_in_at=asked.barge_in_at,
        seconds=asked.seconds,
        vanish_after=asked.vanish_after,
        network=_network(asked),
    )


def _cued(asked: CallOptions, cues: list[CallerCue]) -> CuedScript:
    return CuedScript(
        asked.format,
        (),
        length=round(asked.seconds / PIECE) if asked.seconds is not None else None,
        vanish=round(asked.vanish_after / PIECE) if asked.vanish_after is not None else None,
        network=_network(asked),
        cues=tuple(cues),
    )


def _network(asked: CallOptions) -> Network:
    return Network(asked.loss / 100, asked.jitter / 1000, asked.reorder / 100)


def _cues(file: ScriptFile, asked: CallOptions) -> list[CallerCue]:
    texts = list(dict.fromkeys(step.text for step in file.steps if step.text))
    spoken = dict(zip(texts, _speak(texts, file.voice), strict=True)) if texts else {}
    cues = []
    for step in file.steps:
        audio = read_wav(step.wav) if step.wav else spoken.get(step.text)
        speech = pieces(audio, asked.format) if audio is not None else ()
        if step.when == "over":
            speech = speech[first_loud(speech, asked.format) :]
        cues.append(CallerCue(speech, step.text or None, step.keys, step.when, step.seconds))
    return cues


def _speak(texts: list[str], voice: str | None) -> list[AudioRaw]:
    """The texts, spoken by Piper. Raises `VoiceflowError` where there is no voice."""
    from voiceflow.processors.tts.piper import PiperTTS

    piper = PiperTTS(voice or _installed_voice())
    piper.model = piper.load()
    return [AudioRaw(piper.synthesize(text, piper.voice), piper.produces) for text in texts]


def _installed_voice() -> str:
    """The default voice if it is here, else another that is: a script is no reason to download one."""
    voices = sorted(
        (model for model in weights.catalogue if model.kind == "piper"),
        key=lambda model: model.name != weights.DEFAULT_VOICE,
    )
    for model in voices:
        try:
            if weights.where(model):
                return model.name
        except WeightsError:
            break
    raise ConfigError(
        "--script has text to say, and no voice is here: write WAV files instead, or get one, with "
        f"`voiceflow models download {weights.DEFAULT_VOICE}`"
    )
