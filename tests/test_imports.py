"""Dependencies point one way, and `import voiceflow` stays light."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = {
    "voiceflow": "voiceflow",
    "processors": "voiceflow.processors",
    "transports": "voiceflow.transports",
    "pipelines": "voiceflow.pipelines",
}
NEW = """
import json, sys
import msgspec, numpy  # with what they load themselves
before = set(sys.modules)
import voiceflow
new = {name.partition(".")[0] for name in set(sys.modules) - before if getattr(sys.modules[name], "__spec__", None)}
print(json.dumps(sorted(new - sys.stdlib_module_names)))
"""

LAYERS: tuple[tuple[str, ...], ...] = (
    ("voiceflow.errors", "voiceflow.variables", "voiceflow.words", "voiceflow.telemetry", "voiceflow.logs"),
    ("voiceflow.audio",),
    ("voiceflow.frames", "voiceflow.route", "voiceflow.call_limits", "voiceflow.call_control", "voiceflow.reply"),
    ("voiceflow.backchannels",),
    ("voiceflow.annotations", "voiceflow.pipeline", "voiceflow.sounds.tones"),
    ("voiceflow.frameflow",),
    ("voiceflow.playout",),
    ("voiceflow.turns",),
    ("voiceflow.session",),
    ("voiceflow.call",),
    ("voiceflow.processor",),
    ("voiceflow.transport", "voiceflow.weights"),
    ("voiceflow.inference", "voiceflow.processors.codec"),
    ("voiceflow.linking", "voiceflow.sounds"),
    ("voiceflow.engine",),
    ("voiceflow",),  # what a pipeline's author imports
)
"""Layers of packages, the lowest first: each may import itself and those below it."""
FOUNDATION = (
    "voiceflow.errors",
    "voiceflow.words",
    "voiceflow.audio",
    "voiceflow.frames",
    "voiceflow.annotations",
    "voiceflow.pipeline",
)
AUTHORS = (*FOUNDATION, "voiceflow.reply", "voiceflow.backchannels", "voiceflow.call", "voiceflow.processor")
"""The modules that the author of a processor builds on."""
SERVICES = ("voiceflow.inference", "voiceflow.weights", "voiceflow.variables", "voiceflow.logs")
"""The packages that processors may use besides."""
ABOVE: dict[str, tuple[str, ...]] = {
    "voiceflow.security": (),
    "voiceflow.config": ("voiceflow.auth", "voiceflow.transports.carriers"),
    "voiceflow.transports": ("voiceflow.config.address", "voiceflow.config.secrets", "voiceflow.security"),
    "voiceflow.draw": ("voiceflow.processors",),
    "voiceflow.server": (
        "voiceflow.auth",
        "voiceflow.config",
        "voiceflow.pipelines",
        "voiceflow.processors",
        "voiceflow.security",
        "voiceflow.transports",
    ),
    "voiceflow.simulator": (
        "voiceflow.config",
        "voiceflow.processors",
        "voiceflow.security",
        "voiceflow.transports",
    ),
    "voiceflow.tunnel": ("voiceflow.config", "voiceflow.security", "voiceflow.server"),
    "voiceflow.doctor": (
        "voiceflow.config",
        "voiceflow.processors",
        "voiceflow.server",
        "voiceflow.simulator",
        "voiceflow.transports",
        "voiceflow.tunnel",
    ),
}
"""The packages above the layers: each may import itself, the layers, and these."""


def modules() -> dict[str, Path]:
    """Every module by its import name."""
    found = {}
    for folder, package in FOLDERS.items():
        for file in (ROOT / folder).rglob("*.py"):  # does not follow the links to the other folders
            if any(parent.is_symlink() for parent in file.relative_to(ROOT).parents):
                continue
            parts = file.relative_to(ROOT / folder).with_suffix("").parts
            found[".".join((package, *parts)).removesuffix(".__init__")] = file
    return found


MODULES = modules()


def imported(module: str) -> set[str]:
    """The modules that `module` imports, anywhere in it and for type checkers too, by their absolute names."""
    file = MODULES[module]
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    names = set()
    for node in ast.walk(ast.parse(file.read_text(), str(file))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            within = {f"{base}.{alias.name}" for alias in node.names} & MODULES.keys()
            whole = len(within) < len(node.names)  # else `from package import module` only
            names |= within | ({base} if whole else set())
    return names


def ours(module: str) -> set[str]:
    return {name for name in imported(module) if belongs(name, "voiceflow")}


def belongs(module: str, *packages: str) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def inside(package: str) -> list[str]:
    found = sorted(name for name in MODULES if belongs(name, package))
    assert found, f"no module in {package}: has it moved?"
    return found


def test_importing_voiceflow_loads_numpy_and_msgspec_and_nothing_heavier() -> None:
    shown = subprocess.run([sys.executable, "-c", NEW], check=True, stdout=subprocess.PIPE).stdout
    assert json.loads(shown) == ["voiceflow"]


def layer(module: str) -> int | None:
    """Where `module` stands among the layers: by the longest name that fits."""
    found = [(len(room), place) for place, rooms in enumerate(LAYERS) for room in rooms if belongs(module, room)]
    exact = [(size, place) for size, place in found if size > len("voiceflow")]
    if exact:
        return max(exact)[1]
    return len(LAYERS) - 1 if module == "voiceflow" else None


@pytest.mark.parametrize("module", sorted(name for name in MODULES if layer(name) is not None))
def test_the_engine_and_what_it_stands_on_know_only_what_is_below_them(module: str) -> None:
    place = layer(module)
    assert place is not None
    above = {name for name in ours(module) if (other := layer(name)) is None or other > place}
    assert not above


@pytest.mark.parametrize("module", [name for name in inside("voiceflow.processors") if not name.endswith("codec")])
def test_processors_know_only_what_their_authors_build_on_and_each_other(module: str) -> None:
    others = {name for name in ours(module) if not belongs(name, "voiceflow.processors")}
    assert all(name in AUTHORS or belongs(name, *SERVICES) for name in others), others


def test_no_modules_import_each_other_in_a_circle() -> None:
    known = {module: ours(module) & MODULES.keys() - {module} for module in MODULES}
    while True:
        free = {module for module, needs in known.items() if not needs & known.keys()}
        if not free:
            break
        known = {module: needs for module, needs in known.items() if module not in free}
    assert not known, "these are in a circle, or need one that is"


@pytest.mark.parametrize(("module", "package"), [(name, package) for package in ABOVE for name in inside(package)])
def test_the_packages_above_the_layers_know_what_they_stand_on_alone(module: str, package: str) -> None:
    known = (package, *ABOVE[package])
    assert not {name for name in ours(module) if layer(name) is None and not belongs(name, *known)}


@pytest.mark.parametrize("module", inside("voiceflow.auth"))
def test_authentication_knows_itself_errors_and_the_log_alone(module: str) -> None:
    assert not {
        name for name in ours(module) if not belongs(name, "voiceflow.auth", "voiceflow.errors", "voiceflow.logs")
    }


@pytest.mark.parametrize("module", sorted(MODULES))
def test_nobody_imports_the_folders_by_their_own_names(module: str) -> None:
    assert not {name for name in imported(module) if belongs(name, "processors", "transports", "pipelines")}
