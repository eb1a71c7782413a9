"""Dependencies point one way, and `import voiceflow` stays light."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
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

FOUNDATION = {
    "voiceflow.errors": set[str](),
    "voiceflow.audio": {"voiceflow.errors"},
    "voiceflow.frames": {"voiceflow.errors", "voiceflow.audio"},
    "voiceflow.signature": {"voiceflow.errors", "voiceflow.audio", "voiceflow.frames"},
    "voiceflow.processor": {"voiceflow.errors", "voiceflow.audio", "voiceflow.frames", "voiceflow.signature"},
}
"""What each of these may import of voiceflow."""
SERVICES = {"voiceflow.inference", "voiceflow.weights"}
"""What processors may use besides."""


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


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def statements(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes below `node`, but not what only type checkers read."""
    for child in ast.iter_child_nodes(node):
        if is_type_checking(child):
            continue
        yield child
        yield from statements(child)


def imported(module: str) -> set[str]:
    """The modules that `module` imports when it is imported or run, by their absolute names."""
    file = MODULES[module]
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    names = set()
    for node in statements(ast.parse(file.read_text(), str(file))):
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


ENGINE = [
    name
    for name, file in MODULES.items()
    if file.parent in (ROOT / "voiceflow", ROOT / "voiceflow" / "engine") and name != "voiceflow.__main__"
]


def test_importing_voiceflow_loads_numpy_and_msgspec_and_nothing_heavier() -> None:
    shown = subprocess.run([sys.executable, "-c", NEW], check=True, stdout=subprocess.PIPE).stdout
    assert json.loads(shown) == ["voiceflow"]


@pytest.mark.parametrize("module", FOUNDATION)
def test_the_foundation_knows_nothing_above_it(module: str) -> None:
    assert ours(module) <= FOUNDATION[module]


@pytest.mark.parametrize("module", inside("voiceflow.processors"))
def test_processors_know_only_the_foundation_and_each_other(module: str) -> None:
    others = {name for name in ours(module) if not belongs(name, "voiceflow.processors")}
    assert all(name in FOUNDATION or belongs(name, *SERVICES) for name in others), others


@pytest.mark.parametrize("module", [*inside("voiceflow.inference"), *inside("voiceflow.weights")])
def test_services_know_only_errors(module: str) -> None:
    assert {name for name in ours(module) if not belongs(name, *SERVICES)} <= {"voiceflow.errors"}


@pytest.mark.parametrize("module", sorted(ENGINE))
def test_the_engine_knows_codecs_and_nothing_else_outside_itself(module: str) -> None:
    outside = {name for name in ours(module) if name not in ENGINE}
    assert all(belongs(name, "voiceflow.processors.codec") for name in outside), outside


@pytest.mark.parametrize("module", inside("voiceflow.transports"))
def test_transports_know_the_engine_and_no_face_of_it(module: str) -> None:
    above = ("voiceflow.cli", "voiceflow.draw", "voiceflow.server", "voiceflow.pipelines")
    faces = {name for name in ours(module) if belongs(name, *above)}
    assert not faces


@pytest.mark.parametrize("module", sorted(MODULES))
def test_nobody_imports_the_folders_by_their_own_names(module: str) -> None:
    assert not {name for name in imported(module) if belongs(name, "processors", "transports", "pipelines")}
