"""`voiceflow run`: a pipeline behind phone numbers, or for one call from a WAV file."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .choices import OneOf, carrier_names
from .problems import Refused, explained, log_level_option, start_logging

if TYPE_CHECKING:
    from voiceflow.config.settings import Config
    from voiceflow.server.launch import Options


@click.command(
    epilog="""\b
Examples:
  voiceflow run echo                                       serve on http://127.0.0.1:8000
  voiceflow run hello.py --ws-url wss://example.com/sip/media-stream
  voiceflow run hello.py --reload                          start again when a file changes
  voiceflow run hello.py --wav speech.wav heard.wav        one call from a recording
  voiceflow run hello.py --wav speech.wav heard.wav --fast --json

\b
Exit codes: 0 it ended well, 1 a call from a recording failed, 2 it could not begin.
""",
)
@click.argument("target", metavar="FILE|NAME")
@click.option("--host", help="The address to serve on, 127.0.0.1 unless configured.")
@click.option("-p", "--port", type=int, help="The port to serve on, 8000 unless configured.")
@click.option("--ws-url", metavar="URL", help="Where carriers reach the media stream: wss://HOST/sip/media-stream.")
@click.option("-c", "--config", type=click.Path(path_type=Path), metavar="FILE", help="The configuration, YAML.")
@click.option("--provider", type=OneOf(carrier_names), help="Take streams of this carrier only.")
@click.option("--reload", is_flag=True, help="Start again when a file beside FILE changes.")
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True, help="Processes to serve with.")
@click.option("--insecure", is_flag=True, help="Let everybody call, without signature or token.")
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
    wav: tuple[Path, Path] | None,
    fast: bool,
    as_json: bool,
    log_level: str | None,
) -> None:
    """Run a pipeline: serve it to carriers, or make one call from a recording with --wav.

    FILE is a Python file with a function `pipeline(call)`, NAME a built-in pipeline.
    """
    start_logging(log_level)
    if wav is not None:
        from .recording import run_recording

        run_recording(target, *wav, fast=fast, as_json=as_json, log_level=log_level)
        return
    if fast or as_json:
        raise Refused("--fast and --json go with --wav IN OUT")
    from voiceflow.server.launch import Options, serve

    options = Options(
        target=target,
        config=config,
        provider=provider,
        host=host,
        port=port,
        ws_url=ws_url,
        log_level=log_level,
        insecure=insecure,
    )
    with explained(log_level):
        loaded = options.load()
        start_logging(loaded.log_level)
        _say_what_is_served(options, loaded)
        serve(options, loaded, workers=workers, reload=reload)


def _say_what_is_served(options: Options, config: Config) -> None:
    """Link the pipeline, so that its mistakes show before the phone rings, and print where everything is."""
    from voiceflow import draw
    from voiceflow.config.routes import Routes
    from voiceflow.config.settings import find_config, origin
    from voiceflow.linking.linker import link
    from voiceflow.server.app import MEDIA
    from voiceflow.server.pipelinefile import load_pipeline
    from voiceflow.transports.carriers import carriers
    from voiceflow.transports.nominal import nominal_call

    plan = link(load_pipeline(options.target)(nominal_call(config.provider)))
    file = find_config(options.config)
    dids = Routes(file).dids
    host = f"[{config.server_host}]" if ":" in config.server_host else config.server_host
    here = f"{host}:{config.server_port}"
    public = config.public_ws_url
    lines = [
        f"configuration: {origin(file)}",
        f"numbers: {', '.join(dids) if dids else 'any'}",
        "",
        draw.text(plan),
        f"talk to it       http://{here}",
        f"media streams    ws://{here}{MEDIA}" + (f", publicly {public}" if public else ""),
        f"webhooks         http://{here}{' and '.join(each.webhook_path for each in carriers())} (POST)",
        f"state            http://{here}/health",
        "",
        f"try it           voiceflow call ws://{here}{MEDIA}",
    ]
    if not public:
        lines.append(f"for a carrier    add --ws-url wss://HOST{MEDIA}, the address at which it reaches us")
    click.echo("\n".join(lines), err=True)
    if options.insecure:
        logging.getLogger("voiceflow.server").warning(
            "--insecure: whoever reaches this port may call, without signature or token"
        )
