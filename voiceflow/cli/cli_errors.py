"""How commands report wrong input - one message, exit code 2, a traceback only with --log-level debug - and log."""

from __future__ import annotations

import logging
import os
import traceback
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from voiceflow.errors import VoiceflowError
from voiceflow.server.logs import FORMAT, OneLine, quieten_libraries

if TYPE_CHECKING:
    from voiceflow.frames import AudioRaw

INTERRUPTED = 130
"""The exit code of a program that was stopped with Ctrl-C."""
C = TypeVar("C", bound=Callable[..., Any])


class Refused(click.ClickException):
    """The command cannot do what was asked: exit code 2. A call that began and failed has exit code 1 instead."""

    exit_code = 2


def check_writable(path: Path) -> None:
    """Refuse, before a call, a file that could not be written after it."""
    if os.path.isdir(path):
        raise Refused(f"cannot write {path}: it is a folder, name a file")
    if not os.path.isdir(path.parent):
        raise Refused(f"cannot write {path}: the folder {path.parent} does not exist")
    there = os.path.exists(path)
    if not os.access(path if there else path.parent, os.W_OK if there else os.W_OK | os.X_OK):
        what = "it" if there else f"the folder {path.parent}"
        raise Refused(f"cannot write {path}: {what} may not be written")


def write_recording(path: Path, audio: AudioRaw) -> str | None:
    """Write the recording of a call. Returns why that was not possible, if it was not: the result of the call is worth
    having without it."""
    from voiceflow.sounds.wavfile import write_wav

    try:
        write_wav(path, audio)
    except OSError as error:
        return f"cannot write {path}: {error.strerror}"
    return None


def given(names: Container[str]) -> Iterator[tuple[str, str]]:
    """Name and option of those parameters in `names` that were given on the command line."""
    context = click.get_current_context()
    for parameter in context.command.params:
        name = parameter.name or ""
        if name in names and context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            yield name, parameter.opts[-1]


def log_level_option(command: C) -> C:
    """Add the option `--log-level` to a command."""
    return click.option(
        "--log-level",
        type=click.Choice(["debug", "info", "warning", "error"], case_sensitive=False),
        help="How much is logged, info unless configured. With debug, errors come with their traceback.",
    )(command)


def config_option(command: C) -> C:
    """Add the option `-c` to a command."""
    return click.option(
        "-c", "--config", type=click.Path(path_type=Path), metavar="FILE", help="The configuration, YAML."
    )(command)


def start_logging(level: str | None) -> None:
    """Log to standard error, above a progress bar if there is one."""
    from rich.console import Console
    from rich.logging import RichHandler

    console = Console(stderr=True)
    if console.is_terminal:
        handler: logging.Handler = RichHandler(console=console, show_path=False)
        handler.setFormatter(OneLine("%(message)s"))
    else:
        handler = logging.StreamHandler()
        handler.setFormatter(OneLine(FORMAT))
    logging.basicConfig(level=(level or "info").upper(), handlers=[handler], force=True)
    if (level or "").lower() != "debug":
        quieten_libraries()


@contextmanager
def explained(log_level: str | None) -> Iterator[None]:
    """Turn whatever is raised inside, about a pipeline or a file, into `Refused`."""
    try:
        yield
    except click.ClickException:
        raise
    except Exception as error:
        if log_level == "debug":
            click.echo("".join(traceback.format_exception(error)), err=True, nl=False)
        # Linking raises TypeError for wrong annotations, with a complete message. Other exceptions come from models.
        told = isinstance(error, VoiceflowError | TypeError)
        message = str(error) if told else f"{type(error).__name__}: {error} (--log-level debug shows where)"
        raise Refused(message) from error
