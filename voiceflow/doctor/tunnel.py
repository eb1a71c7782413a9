"""Checks that a tunnel can be opened: cloudflared, its version, and the tunnel that `.tunnel-config` names."""

from __future__ import annotations

from pathlib import Path

from voiceflow.errors import ConfigError, TunnelError
from voiceflow.server.prefix import public_http
from voiceflow.tunnel.binary import absence, found, install_command, is_too_old, version
from voiceflow.tunnel.named import find_named, missing_files

from .finding import Finding, Setting

NAME = "cloudflared"


async def cloudflared(setting: Setting) -> Finding:
    """Whether `voiceflow run --tunnel` in this folder can open its tunnel."""
    warnings: list[str] = []
    try:
        named = find_named((Path(),), warnings.append)
    except ConfigError as error:
        return Finding(NAME, "fail", str(error), "correct it, or remove the file for a quick tunnel")
    program = found()
    if program is None:
        what, remedy = absence()
        wanted = named is not None
        return Finding(NAME, "fail" if wanted else "ok", f"{what}; `voiceflow run FILE --tunnel` needs it", remedy)
    try:
        said, works = await version(program)
    except TunnelError as error:
        return Finding(NAME, "warn", str(error), install_command())
    if not works:
        return Finding(NAME, "warn", f"{program} fails: {said}", install_command())
    if is_too_old(said):
        return Finding(NAME, "warn", f"{program} is too old: {said}", install_command())
    if named is None:
        return Finding(NAME, "ok", f"{said}, {program}")
    if missing := missing_files(named):
        what = f"the tunnel {named.tunnel} of {named.file} needs {missing}, which is not there"
        name = Path(missing).name
        return Finding(
            NAME, "fail", what, f"cloudflared tunnel login and create, or copy {name} from where that was done"
        )
    where = f"the tunnel {named.tunnel} at {public_http(named.address)}"
    if warnings:
        return Finding(NAME, "warn", "; ".join(warnings), f"correct {named.file}")
    return Finding(NAME, "ok", f"{said}, {program}, {where}")
