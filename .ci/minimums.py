"""Prints the oldest version that pyproject.toml allows of each dependency, as constraints for pip."""

import re
import tomllib
from pathlib import Path

project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["project"]
extras = project["optional-dependencies"]
ours = [*project["dependencies"], *(one for name in extras if name not in ("all", "dev") for one in extras[name])]
for name, version in sorted(
    {match.groups() for each in ours if (match := re.match(r"([\w.-]+)(?:\[.*\])?>=([\w.]+)", each))}
):
    print(f"{name}=={version}")
