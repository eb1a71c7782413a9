"""What a command says when it refuses."""

from __future__ import annotations

from click.testing import Result


def refusal(result: Result) -> str:
    """The one line that a refusal consists of."""
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Traceback" not in result.stderr
    (line,) = result.stderr.splitlines()
    return line.removeprefix("Error: ")
