"""`voiceflow run`: serves a pipeline to carriers and browsers, or runs it for one call from a WAV file."""

from __future__ import annotations

import shlex
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from voiceflow.logs import get_logger, show_numbers

from .choices import OneOf, carrier_names
from .cli_errors import Refused, config_option, explained, given, log_level_option, start_logging
from .program import program

if TYPE_CHECKING:
    from voiceflow.auth import Composite
    from voiceflow.config.precedence import Settled
    from voiceflow.linking.plan import Plan
    from voiceflow.server.pipelinefile import PipelineFile

SERVING = ("host", "port", "ws_url", "provider", "reload", "workers", "insecure", "tunnel")
"""Options that are about serving, and so do not go with a call from a recording."""


@click.command(
    epilog="""\b
Examples:
  voiceflow run echo                                       serve on http://127.0.0.1:8000
  voiceflow run hello.py --ws-url wss://example.com/sip/media-stream
  voiceflow run hello.py --tunnel                          at a public address, by cloudflared
  voiceflow run hello.py --reload                          start again when a file changes
  voiceflow run hello.py --transcript                      print who says what
  voiceflow run hello.py --wav speech.wav heard.wav        one call from a recording
  voiceflow run hello.py --wav speech.wav heard.wav --fast --json

SIGTERM stops the server when its calls have ended: no new ones are taken, /ready answers 503, and callers who are left
after drain_timeout (an hour unless configured) hear a sentence. SIGTERM again, and Ctrl-C, cut the calls.

\b
Exit codes: 0 it ended well, 1 a call from a recording failed (a processor failed or hung, nothing but errors came of
what the caller said, or the caller was never answered), 2 it could not begin.
""",
)
@click.argument("target", metavar="FILE|NAME")
@click.option(
    "--host",
    help="The address to serve on, 127.0.0.1 unless configured. 0.0.0.0 means all of IPv4, :: means "
    "all of IPv4 and IPv6.",
)
@click.option("-p", "--port", type=int, help="The port to serve on, 8000 unless configured; 0 takes a free one.")
@click.option("--ws-url", metavar="URL", help="Where carriers reach the media stream: wss://HOST/sip/media-stream.")
@config_option
@click.option("--provider", type=OneOf(carrier_names), help="Take streams of this carrier only.")
@click.option("--reload", is_flag=True, help="Start again when a file beside FILE changes.")
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True, help="Processes to serve with.")
@click.option("--insecure", is_flag=True, help="Let everybody call, without signature or token.")
@click.option("--transcript", is_flag=True, help="Print what is said in the calls, and what of it was not heard.")
@click.option(
    "--tunnel",
    is_flag=True,
    help="Serve at a public address as well, by cloudflared: the tunnel that .tunnel-config names, or a quick one.",
)
@click.option(
    "--wav",
    nargs=2,
    type=click.Path(path_type=Path),
    metavar="IN OUT",
    help="Run one call: the caller speaks as in the WAV file IN, what the caller hears is written to OUT.",
)
@click.option("--fast", is_flag=True, help="With --wav: in virtual time, as fast as the pipeline works.")
@click.option("--json", "as_json", is_flag=True, help="With --wav: print the result as JSON.")
@log_level_option
def run(
    target: str,
    host: str | None,
    port: int | None,
    ws_url: str | None,
    config: Path | None,
    provider: str | None,
    reload: bool,
    workers: int,
    insecure: bool,
    transcript: bool,
    tunnel: bool,
    wav: tuple[Path, Path] | None,
    fast: bool,
    as_json: bool,
    log_level: str | None,
) -> None:
    """Run a pipeline: serve it to carriers, or make one call from a recording with --wav.

    FILE is a Python file with a function `pipeline(call)`, NAME a built-in pipeline.

    Options count most, then the environment, then .env beside FILE (with NAME: in the working folder), then the
    configuration: -c, else ./voiceflow.yaml, else ~/.config/voiceflow/config.yaml, else ~/.vibecode/sip_config.yaml.
    """
    start_logging(log_level)
    if wav is not None:
        from .recording import run_recording

        _refuse_serving()
        if transcript and as_json:
            raise Refused("--json has the conversation in its result: leave out --transcript")
        run_recording(
            target, *wav, config=config, fast=fast, as_json=as_json, transcript=transcript, log_level=log_level
        )
        return
    if fast or as_json:
        raise Refused("--fast and --json go with --wav IN OUT")
    if reload and workers > 1:
        raise Refused("--reload serves with one process: leave out --workers")
    if tunnel and ws_url is not None:
        raise Refused("--tunnel makes the public address, and --ws-url gives another: leave one of them out")
    from voiceflow.auth import Composite
    from voiceflow.security.secret_file import published
    from voiceflow.security.tokens import run_key
    from voiceflow.security.trust import secret_of
    from voiceflow.server.launch import Options, leave_on_sigterm, serve
    from voiceflow.server.listening import is_exposed, listening, port_of
    from voiceflow.server.pipelinefile import load_file

    options = Options(
        target=target,
        config=config,
        overrides={"provider": provider, "host": host, "port": port, "ws_url": ws_url, "log_level": log_level},
        insecure=insecure,
        transcript=transcript,
    )
    with explained(log_level):
        settled = options.settle(get_logger("voiceflow.config").warning)
        start_logging(settled.config.log_level)
        show_numbers(settled.config.log_numbers)
        file = load_file(target)
        plan = _linked(file, settled.config.provider)
        leave_on_sigterm()
        with ExitStack() as stack:
            sockets = stack.enter_context(listening(settled.config.server_host, settled.config.server_port))
            port = port_of(sockets)
            key = stack.enter_context(run_key())
            if tunnel:
                from .tunnel import tunnelled

                options, settled = stack.enter_context(tunnelled(options, settled, port, secret_of(key)))
            exposed = is_exposed(settled.config) or file.authorize is not None
            secret = secret_of(key) if exposed else None
            if secret is not None:
                stack.enter_context(published(secret, port))
            providers = Composite((*settled.config.auth, file.authorize))
            _say_what_is_served(plan, settled, port, secret, providers, insecure=insecure, tunnel=tunnel)
            serve(options.fixed(settled, exposed=exposed), settled.config, sockets, workers=workers, reload=reload)


def _refuse_serving() -> None:
    for _, option in given(SERVING):
        raise Refused(f"{option} is about serving: leave it out, or --wav")


def _linked(file: PipelineFile, provider: str | None) -> Plan:
    """The plan of the pipeline, linked as for a call, so that its mistakes show before the phone rings."""
    from voiceflow.linking.linker import link
    from voiceflow.transports.dry_call import nominal_call

    return link(file.build(nominal_call(provider)))


def _say_what_is_served(
    plan: Plan, settled: Settled, port: int, secret: str | None, providers: Composite, *, insecure: bool, tunnel: bool
) -> None:
    """Print the pipeline, and the addresses of everything that is served, as they can be reached from this machine. The
    page opens by a link with the `secret` of the run, if it has one."""
    from voiceflow import draw
    from voiceflow.config.address import MEDIA
    from voiceflow.config.settings import origin
    from voiceflow.server.listening import reachable
    from voiceflow.transports.carriers import carriers

    from .addresses import public_lines, who_may_come_in

    dids, config = settled.routes.dids, settled.config
    here = reachable(config.server_host, port)
    public = config.public_ws_url
    lines = [f"configuration: {origin(settled.file)}", f"numbers: {', '.join(dids) if dids else 'any'}", ""]
    lines.append(draw.text(plan))
    if plan.is_echo:
        lines.append(f"who answers      nobody: callers hear themselves; `{program()} run assistant` answers")
    key = "" if secret is None else f"/?key={secret}"
    lines += [
        f"talk to it       http://{here}{key}",
        f"who may come in  {who_may_come_in(providers, exposed=secret is not None, insecure=insecure)}",
        f"try it           {_trial(f'ws://{here}{MEDIA}', settled)}",
        f"media streams    ws://{here}{MEDIA}" + (f", publicly {public}" if public else ""),
        f"webhooks         http://{here}{' and '.join(each.webhook_path for each in carriers())} (POST or GET)",
        f"state            http://{here}/health",
    ]
    if public:
        lines += public_lines(public, key)
    else:
        lines.append(
            f"for a carrier    add --ws-url wss://HOST{MEDIA}, the address at which it reaches us, or --tunnel"
        )
    if tunnel:
        from .tunnel import tunnel_lines

        lines += tunnel_lines(settled)
    click.echo("\n".join(lines), err=True)
    if insecure:
        get_logger("voiceflow.server").warning(
            "--insecure: whoever reaches this port%s may call, without signature or token",
            " - from anywhere on the internet, by the tunnel -" if tunnel else "",
        )


def _trial(url: str, settled: Settled) -> str:
    """The command by which the simulated phone calls the server, as the carrier and the number that it serves."""
    from voiceflow.transports.carriers import names

    from .call import TO

    provider, dids = settled.config.provider, settled.routes.dids
    options = [] if provider in (None, names()[0]) else ["--as", str(provider)]
    if settled.routes.lookup(TO) is None:
        options += ["--to", dids[0]]
    return f"{program()} {shlex.join(['call', url, *options])}"
