"""`voiceflow doctor`: shows what is missing for calls, and how to fix it."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .cli_errors import Refused, config_option, given, start_logging
from .printed import json_of, text
from .program import program

if TYPE_CHECKING:
    from voiceflow.doctor import Finding, Setting

STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


@click.command(
    epilog="""\b
Examples:
  voiceflow doctor
  voiceflow doctor -c voiceflow.yaml
  voiceflow doctor --ice        check that browsers can connect
  voiceflow doctor --phone      check that carriers can, from outside in
  voiceflow doctor --json

\b
Exit codes: 0 nothing fails, 1 something does, 2 the options cannot be used.
""",
)
@config_option
@click.option(
    "--ice", is_flag=True, help="Test the STUN and TURN servers instead, and connect two peers with and without them."
)
@click.option(
    "--phone",
    is_flag=True,
    help="Test the public address of a running server instead: name, certificate, path, that strangers are refused, "
    "and a call as the carrier makes it.",
)
@click.option(
    "--from", "caller_id", default="+12025550123", show_default=True, metavar="NUMBER", help="With --phone: who calls."
)
@click.option("--to", "did", metavar="NUMBER", help="With --phone: who is called, if not the first number configured.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(config: Path | None, ice: bool, phone: bool, caller_id: str, did: str | None, as_json: bool) -> None:
    """Check that everything that calls need is there, and say how to fix what is not.

    Python, extras, models, the language model, Ollama, the port, the carriers' credentials, the public
    address, cloudflared. Keys are not shown. The environment and the configuration are those of `voiceflow run`
    in this folder: a file .env in it adds to the environment.
    """
    from voiceflow.doctor import Setting

    start_logging("warning")
    if ice and phone:
        raise Refused("--ice and --phone are two tests: make one after the other")
    if not phone:
        for _, option in given(("caller_id", "did")):
            raise Refused(f"{option} goes with --phone")
    setting = Setting.read(config)
    if phone:
        examined = _examined_phone(setting, caller_id, did)
    else:
        examined = _examined_ice(setting) if ice else _examined(setting)
    findings = asyncio.run(examined)
    if as_json:
        click.echo(json_of({"ok": not _failed(findings), "findings": findings}))
    else:
        _print(findings)
    if _failed(findings):
        raise click.exceptions.Exit(1)


def _failed(findings: list[Finding]) -> bool:
    return any(finding.status == "fail" for finding in findings)


async def _examined_ice(setting: Setting) -> list[Finding]:
    from rich.console import Console

    from voiceflow.doctor import examine_ice

    with Console(stderr=True).status("asking servers, connecting two peers"):
        return await examine_ice(setting)


async def _examined_phone(setting: Setting, caller_id: str, did: str | None) -> list[Finding]:
    from rich.console import Console

    from voiceflow.doctor import CallNumbers, examine_phone

    from .call import TO

    numbers = CallNumbers(caller_id, did or (setting.dids[0] if setting.dids else TO))
    with Console(stderr=True).status("calling from outside"):
        return await examine_phone(setting, numbers)


async def _examined(setting: Setting) -> list[Finding]:
    """All findings, in order. A terminal shows which checks are still running."""
    from rich.console import Console

    from voiceflow.doctor import checks, examine

    async with asyncio.TaskGroup() as group:
        tasks = {name: group.create_task(examine(name, check, setting)) for name, check in checks(setting).items()}
        with Console(stderr=True).status("") as status:
            while pending := {name: task for name, task in tasks.items() if not task.done()}:
                status.update(f"checking {', '.join(pending)}")
                await asyncio.wait(pending.values(), return_when=asyncio.FIRST_COMPLETED)
    return [task.result() for task in tasks.values()]


def _print(findings: list[Finding]) -> None:
    """Print each finding, and below it the remedy. A remedy that the terminal has no room for begins a line of its own
    and is not broken, so that it can be copied."""
    from rich.console import Console
    from rich.table import Column, Table

    console = Console()
    longest = max(len(finding.check) for finding in findings)
    for finding in findings:
        columns = Column(width=4), Column(width=longest, no_wrap=True), Column(overflow="fold")
        row = Table(*columns, show_header=False, box=None, padding=(0, 2, 0, 0))
        row.add_row(text(finding.status, style=STYLES[finding.status]), text(finding.check), text(finding.said))
        console.print(row)
        if finding.remedy:
            indent = 4 + 2 + longest + 2
            remedy = f"-> {re.sub(r'^voiceflow ', f'{program()} ', finding.remedy)}"
            fits = indent + len(remedy) <= console.width
            style = "dim" if finding.status == "ok" else "bold"
            console.print(text(" " * indent * fits + remedy, style=style), soft_wrap=True)
