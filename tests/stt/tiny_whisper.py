"""A Whisper model of half a megabyte that faster-whisper loads. What it says, whatever it hears, is given, and so are
how probable that is and how improbable speech is.

Its decoder knows only how far it is: the place of a token is a direction, and the projection makes a token of it.
"""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from pathlib import Path

import numpy as np
from ctranslate2.specs import whisper_spec
from numpy.typing import NDArray
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

WIDTH, MELS, FRAMES, TOKENS = 8, 80, 1_500, 448
"""The least that the format allows; frames of audio and tokens of text are Whisper's own."""
SPEECHLESS, OVER = 6, 7
"""Directions: the start, where a model says how improbable speech is, and the end. The others are one for each word."""
SPACE = "\u0120"
"""How the tokenizer writes a space."""
WORDS = ("hello", " world", " yes", " no")
SPECIAL = (
    "<|endoftext|>",
    "<|startoftranscript|>",
    "<|en|>",
    "<|translate|>",
    "<|transcribe|>",
    "<|startoflm|>",
    "<|startofprev|>",
    "<|nospeech|>",
    "<|notimestamps|>",
    *(f"<|{step * 0.02:.2f}|>" for step in range(FRAMES + 1)),
)


@functools.cache
def tiny_whisper(*says: str, sure: float = 5.0, no_speech: float = 0.0) -> Path:
    """The folder of such a model, which lasts as long as the process."""
    folder = tempfile.mkdtemp(prefix="tiny-whisper-")
    atexit.register(shutil.rmtree, folder)
    return make(Path(folder), *says, sure=sure, no_speech=no_speech)


def make(folder: Path, *says: str, sure: float = 5.0, no_speech: float = 0.0, ends: bool = True) -> Path:
    """Write the model into `folder`. It says six of `WORDS` at most. `sure` and `no_speech` are how much weightier its
    words and "<|nospeech|>" are than the 1 800 other tokens, in steps of 2.6 nats. Where it never `ends`, it goes on
    with its last word."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _tokenizer()
    tokenizer.save(str(folder / "tokenizer.json"))
    tokens = [token for token, _ in sorted(tokenizer.get_vocab(True).items(), key=lambda item: item[1])]
    spec = whisper_spec.WhisperSpec(1, 1, 1, 1)
    _encoder(spec.encoder)
    _decoder(spec.decoder, [SPEECHLESS, *range(len(says))], rest=OVER if ends else len(says) - 1)
    projection = np.zeros((len(tokens), WIDTH), np.float32)
    for place, word in enumerate(says):
        projection[tokens.index(word.replace(" ", SPACE)), place] += sure
    projection[tokens.index("<|endoftext|>"), OVER] = sure
    projection[tokens.index("<|nospeech|>"), SPEECHLESS] = no_speech
    spec.decoder.embeddings.weight = np.zeros_like(projection)
    spec.decoder.projection.weight = projection
    spec.register_vocabulary(tokens)
    spec.config.suppress_ids = []
    spec.config.suppress_ids_begin = []
    spec.config.lang_ids = [tokens.index("<|en|>")]
    spec.config.alignment_heads = [(0, 0)]
    spec.validate()
    spec.save(str(folder))
    return folder


def _tokenizer() -> Tokenizer:
    vocabulary = {letter: place for place, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    merges: list[tuple[str, str]] = []
    for word in WORDS:
        known = ""
        for letter in word.replace(" ", SPACE):
            if known and (known, letter) not in merges:
                merges.append((known, letter))
            known += letter
            vocabulary.setdefault(known, len(vocabulary))
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(list(SPECIAL))
    return tokenizer


def _random(*shape: int) -> NDArray[np.float32]:
    return (np.random.default_rng(0).standard_normal(shape) * 0.02).astype(np.float32)


def _norm(spec: whisper_spec.common_spec.LayerNormSpec) -> None:
    spec.gamma, spec.beta = np.ones(WIDTH, np.float32), np.zeros(WIDTH, np.float32)


def _linear(spec: whisper_spec.common_spec.LinearSpec, out: int, into: int = WIDTH) -> None:
    spec.weight, spec.bias = _random(out, into), np.zeros(out, np.float32)


def _attention(spec: whisper_spec.attention_spec.MultiHeadAttentionSpec, *outs: int) -> None:
    _norm(spec.layer_norm)
    for linear, out in zip(spec.linear, outs, strict=True):
        _linear(linear, out)


def _feed_forward(spec: whisper_spec.transformer_spec.FeedForwardSpec) -> None:
    _norm(spec.layer_norm)
    _linear(spec.linear_0, 4 * WIDTH)
    _linear(spec.linear_1, WIDTH, 4 * WIDTH)


def _encoder(spec: whisper_spec.WhisperEncoderSpec) -> None:
    for convolution, into in ((spec.conv1, MELS), (spec.conv2, WIDTH)):
        convolution.weight, convolution.bias = _random(WIDTH, into, 3), np.zeros(WIDTH, np.float32)
    spec.position_encodings.encodings = _random(FRAMES, WIDTH)
    _norm(spec.layer_norm)
    for layer in spec.layer:
        _attention(layer.self_attention, 3 * WIDTH, WIDTH)
        _feed_forward(layer.ffn)


def _decoder(spec: whisper_spec.transformer_spec.TransformerDecoderSpec, directions: list[int], rest: int) -> None:
    spec.position_encodings.encodings = np.eye(WIDTH, dtype=np.float32)[
        [*directions, *[rest] * (TOKENS - len(directions))]
    ]
    spec.scale_embeddings = False
    _norm(spec.layer_norm)
    for layer in spec.layer:
        _attention(layer.self_attention, 3 * WIDTH, WIDTH)
        _attention(layer.attention, WIDTH, 2 * WIDTH, WIDTH)
        _feed_forward(layer.ffn)
