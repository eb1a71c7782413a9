"""The wheel: it is complete, has one top-level name, and works without the checkout from which it was built."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = {"voiceflow": "voiceflow"} | {name: f"voiceflow/{name}" for name in ("processors", "transports", "pipelines")}
OTHERS = ("all", "dev", "offline")
"""Extras that are made of others, for developers, or weights of fixed versions."""
IMPORT = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
print(sys.modules["voiceflow"].__file__)
"""


def files(*folders: str) -> list[Path]:
    """The files in the repository, as if everything were committed now, without the links."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", "--", *folders]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    paths = [Path(name) for name in listed.split("\0") if name]
    return [path for path in paths if (ROOT / path).is_file() and not (ROOT / path).is_symlink()]


def run(*command: object, cwd: Path) -> str:
    done = subprocess.run([*map(str, command)], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of the repository without the links."""
    folder = tmp_path_factory.mktemp("packaging")
    tree, built = folder / "tree", folder / "built"
    for path in files():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, tree / path)
    new_enough = int(importlib.metadata.version("setuptools").split(".")[0]) >= 77
    isolation = ["--no-isolation"] if new_enough else []
    run(sys.executable, "-m", "build", "--wheel", *isolation, "--outdir", built, tree, cwd=folder)
    (found,) = built.glob("*.whl")
    return found


def contents(wheel: Path) -> set[str]:
    return set(zipfile.ZipFile(wheel).namelist())


def test_every_file_of_every_package_is_in_the_wheel(wheel: Path) -> None:
    expected = {Path(FOLDERS[path.parts[0]], *path.parts[1:]).as_posix() for path in files(*FOLDERS)}
    assert {"voiceflow/py.typed", "voiceflow/processors/codec/convert.py", "voiceflow/pipelines/echo.py"} <= expected
    assert expected <= contents(wheel), "is a package missing in pyproject.toml?"


def test_the_wheel_holds_nothing_but_package_files(wheel: Path) -> None:
    expected = {Path(FOLDERS[path.parts[0]], *path.parts[1:]).as_posix() for path in files(*FOLDERS)}
    assert {name for name in contents(wheel) if ".dist-info/" not in name} <= expected


def test_voiceflow_is_the_only_top_level_name(wheel: Path) -> None:
    names = {name.partition("/")[0] for name in contents(wheel)}
    assert {name for name in names if not name.endswith(".dist-info")} == {"voiceflow"}


def test_an_installed_wheel_imports_and_runs(wheel: Path, tmp_path: Path) -> None:
    run(sys.executable, "-m", "venv", "--without-pip", "venv", cwd=tmp_path)
    python = tmp_path / "venv" / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", wheel, cwd=tmp_path)
    # Dependencies are borrowed: the folder comes last on the path, and an editable install in it has no effect.
    (site,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    modules = sorted(
        name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for name in contents(wheel)
        if name.endswith(".py") and not name.endswith("__main__.py")
    )
    assert Path(run(python, "-c", IMPORT, *modules, cwd=tmp_path).strip()).is_relative_to(site)
    assert "run" in run(python.with_name("voiceflow"), "--help", cwd=tmp_path)


def test_each_dependency_says_its_oldest_version_and_the_lock_has_one_that_it_allows() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    declared = [
        Requirement(each)
        for each in (*project["dependencies"], *(one for name in extras if name not in OTHERS for one in extras[name]))
    ]
    minimums = run(sys.executable, ROOT / ".ci" / "minimums.py", cwd=ROOT).splitlines()
    assert {line.partition("==")[0] for line in minimums} == {each.name for each in declared}
    lock = (ROOT / "requirements.lock").read_text()
    for each in declared:
        versions = re.findall(rf"^{canonicalize_name(each.name)}==(\S+)", lock, re.MULTILINE)
        assert versions, f"{each.name} is not in requirements.lock: see CONTRIBUTING.md"
        assert all(version in each.specifier for version in versions), each
