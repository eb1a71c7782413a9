"""Names: no two classes have the same, and a carrier's name appears in its own folder alone."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("voiceflow", "processors", "transports")
CARRIERS = ROOT / "transports" / "carriers"
ALIKE = {"Echo", "Options", "Spoken", "Step", "_Call"}
"""Classes of processors that still share a name with another."""
TURN_SERVICE = {"transports/webrtc/turn_servers.py", "voiceflow/server/iceservers.py", "voiceflow/config/ice.py"}
"""Files that may name a carrier besides: its TURN servers are for browsers, whichever carrier has the phone calls."""


def sources() -> dict[str, ast.Module]:
    """Every module of the project by its path, parsed. The links between the folders are not followed."""
    found = {}
    for folder in FOLDERS:
        for file in sorted((ROOT / folder).rglob("*.py")):
            if not any(parent.is_symlink() for parent in file.relative_to(ROOT).parents):
                found[file.relative_to(ROOT).as_posix()] = ast.parse(file.read_text(), str(file))
    return found


SOURCES = sources()
NAMES = sorted(folder.name for folder in CARRIERS.iterdir() if (folder / "__init__.py").exists())


def docstrings(tree: ast.Module) -> set[ast.AST]:
    """Strings that are statements: they document a module, a class, a function or a field."""
    return {
        node.value for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }


def words(tree: ast.Module) -> Iterator[str]:
    """All identifiers and all text of a module, but for its documentation."""
    documentation = docstrings(tree)
    for node in ast.walk(tree):
        if node in documentation:
            continue
        for _, value in ast.iter_fields(node):
            for part in value if isinstance(value, list) else [value]:
                if isinstance(part, str | bytes):
                    yield str(part)


def naming(tree: ast.Module, names: list[str]) -> set[str]:
    pattern = re.compile("|".join(names), re.IGNORECASE)
    return {word for word in words(tree) if pattern.search(word)}


def test_there_are_sources_and_carriers() -> None:
    assert {"voiceflow/call.py", "processors/codec/convert.py", "transports/media_stream.py"} <= SOURCES.keys()
    assert {"twilio", "telnyx"} <= set(NAMES)


def test_two_classes_never_have_one_name() -> None:
    places = defaultdict(list)
    for path, tree in SOURCES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(f"{path}:{node.lineno}")
    alike = {name: where for name, where in places.items() if len(where) > 1 and name not in ALIKE}
    assert not alike, "begin the name with that of what it belongs to"


@pytest.mark.parametrize("path", sorted(SOURCES.keys() - TURN_SERVICE))
def test_a_carrier_is_named_in_its_own_folder_alone(path: str) -> None:
    others = [name for name in NAMES if not path.startswith(f"transports/carriers/{name}/")]
    assert not naming(SOURCES[path], others)


@pytest.mark.parametrize(
    "code",
    [
        "import voiceflow.transports.carriers.twilio",
        "from voiceflow.transports.carriers import telnyx",
        "class Twilio: ...",
        "def answer(twilio): ...",
        "answer(twilio=1)",
        "config.telnyx",
        "x = 'Telnyx'",
        "x = f'/sip/twilio/{number}'",
        "x = b'x-twilio-signature'",
        "match x:\n    case {'telnyx': _}: ...",
    ],
)
def test_a_name_is_found_wherever_it_stands(code: str) -> None:
    assert naming(ast.parse(code), NAMES)


@pytest.mark.parametrize("code", ['"""Twilio."""', 'x = 1\n"""Of Telnyx."""', "x = 1  # Twilio"])
def test_documentation_may_give_examples(code: str) -> None:
    assert not naming(ast.parse(code), NAMES)
