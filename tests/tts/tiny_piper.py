"""A voice of 1 MB that the real Piper loads: every phoneme is a tone of 46 ms.

The graph has the inputs and the output of a real voice. It looks up each phoneme's tone in a table and stretches what
it found by the length scale.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper
from onnx.helper import make_graph, make_model, make_node, make_opsetid, make_tensor_value_info
from piper.phoneme_ids import DEFAULT_PHONEME_ID_MAP

PHONEMES = 256
TONE = 1024
"""Samples of each phoneme."""


def tiny_voice(folder: Path, *, name: str = "tiny", rate: int = 22_050, speakers: int = 1) -> Path:
    """Write the voice; returns the path of its .onnx file. Speaker 7 is a fourth higher than speaker 0."""
    path = folder / f"{name}.onnx"
    onnx.save(_model(rate, speakers), str(path))
    config = {
        "audio": {"sample_rate": rate, "quality": "test"},
        "espeak": {"voice": "en-us"},
        "inference": {"noise_scale": 0.667, "length_scale": 1, "noise_w": 0.8},
        "phoneme_type": "espeak",
        "phoneme_map": {},
        "phoneme_id_map": DEFAULT_PHONEME_ID_MAP,
        "num_symbols": PHONEMES,
        "num_speakers": speakers,
        "speaker_id_map": {},
        "piper_version": "1.0.0",
    }
    path.with_name(f"{path.name}.json").write_text(json.dumps(config))
    return path


def _model(rate: int, speakers: int) -> onnx.ModelProto:
    time = np.arange(TONE) / rate
    tones = np.stack([0.3 * np.sin(2 * np.pi * (110 + 4 * phoneme) * time) for phoneme in range(PHONEMES)])
    constants = {
        "tones": tones.astype(np.float32),
        "phonemes": np.array(PHONEMES, np.int64),
        "flat": np.array([-1], np.int64),
        "shape": np.array([1, 1, -1], np.int64),
        "second": np.array(1, np.int64),
        "tone": np.array(TONE, np.float32),
        "zero": np.array(0, np.float32),
        "one": np.array(1, np.float32),
    }
    inputs = [
        make_tensor_value_info("input", TensorProto.INT64, ["batch", "phonemes"]),
        make_tensor_value_info("input_lengths", TensorProto.INT64, ["batch"]),
        make_tensor_value_info("scales", TensorProto.FLOAT, [3]),
    ]
    nodes = []
    spoken = "input"
    if speakers > 1:
        inputs.append(make_tensor_value_info("sid", TensorProto.INT64, ["batch"]))
        nodes.append(make_node("Add", ["input", "sid"], ["shifted"]))
        spoken = "shifted"
    nodes += [
        make_node("Mod", [spoken, "phonemes"], ["rows"]),
        make_node("Gather", ["tones", "rows"], ["sung"], axis=0),
        make_node("Reshape", ["sung", "flat"], ["samples"]),
        # As many samples as length scale times tone times phonemes, each taken from its place in the original.
        make_node("Gather", ["scales", "second"], ["scale"]),
        make_node("ReduceMax", ["input_lengths"], ["count"], keepdims=0),
        make_node("Cast", ["count"], ["length"], to=TensorProto.FLOAT),
        make_node("Mul", ["length", "tone"], ["original"]),
        make_node("Mul", ["original", "scale"], ["stretched"]),
        make_node("Range", ["zero", "stretched", "one"], ["places"]),
        make_node("Div", ["places", "scale"], ["exact"]),
        make_node("Sub", ["original", "one"], ["last"]),
        make_node("Min", ["exact", "last"], ["bounded"]),
        make_node("Cast", ["bounded"], ["indices"], to=TensorProto.INT64),
        make_node("Gather", ["samples", "indices"], ["speech"]),
        make_node("Reshape", ["speech", "shape"], ["output"]),
    ]
    outputs = [make_tensor_value_info("output", TensorProto.FLOAT, ["batch", 1, 1, "samples"])]
    initializers = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = make_graph(nodes, "tiny voice", inputs, outputs, initializers)
    model = make_model(graph, opset_imports=[make_opsetid("", 13)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    return model
