"""`voiceflow call`: calls a server from a simulated phone or browser, or from some hundreds of them at once."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from .call_options import BROWSER, KEYS, KEYS_EXPECTED, CallOptions
from .choices import OneOf, callers, codecs
from .cli_errors import (
    INTERRUPTED,
    Refused,
    check_writable,
    config_option,
    explained,
    given,
    log_level_option,
    start_logging,
)
from .printed import json_of

OPUS = "Opus"
"""The codec of browsers, at 48 kHz. Their transport encodes and decodes it."""
CARRIERS_ONLY = {
    "codec": "a browser speaks Opus",
    "rate": "a browser speaks Opus at 48000 Hz",
    "vanish_after": "leave it out, or call as a carrier",
    "caller_id": "a browser has no number",
    "did": "a browser calls no number",
    "token": "a browser has no stream token",
    "call_id": "a browser's call has no id of its own",
}
"""Options that a call from a browser cannot have, each with the reason."""
WEBHOOK_ONLY = {
    "signing_key": "for signing webhooks",
    "config": "for the keys of webhooks",
}
"""Options that a call without a webhook cannot have, each with what it is for."""
ANSWERED = {
    "token": "the answer to the webhook brings the token",
    "call_id": "the carrier gives a call its id",
}
"""Options that a call by a webhook cannot have, each with the reason."""
TO = "+12025550199"
"""The number that is called unless another is given."""
SECONDS = click.FloatRange(min=0, min_open=True)
PERCENT = click.FloatRange(0, 100)


@click.command(
    epilog="""\b
Examples, with URL as `voiceflow run` prints it:
  voiceflow call ws://127.0.0.1:8000/sip/media-stream
  voiceflow call http://127.0.0.1:8000                     as a browser does
  voiceflow call "https://HOST/?key=..."                   ... by the link that the server printed
  voiceflow call URL --play hello.wav --record call.wav
  voiceflow call URL --as CARRIER --codec L16
  voiceflow call URL --seconds 20 --barge-in-at 3
  voiceflow call URL --digits 12# --seconds 10
  voiceflow call URL --calls 400 --seconds 60 --json
  voiceflow call URL --loss 2 --jitter 30
  voiceflow call URL --play hello.wav --play goodbye.wav
  voiceflow call URL --script booking.yaml
  voiceflow call --via-webhook http://127.0.0.1:8000/sip/CARRIER/answer --from +12025550111

\b
A script:
  voice: en_US-joe-medium          of what is written; without it, one that is installed
  language: en                     in which the conversation is transcribed
  steps:
    - say: Good morning. I would like a table for two.
    - say: at-eight.wav            when the agent has answered
    - say: No, wait!
      over: 1.5                    seconds after the agent has begun to speak
    - press: 12#
      after: 0                     seconds after the step before
    - wait: 2                      seconds, or speech, or silence, of the agent
    - say: Are you still there?
      at: 40                       seconds after the beginning of the call

\b
Exit codes: 0 every call ended well, 1 one failed, the first caller waited for an answer and got none, or the recording
could not be written, 2 none could begin.
""",
)
@click.argument("url", required=False)
@click.option(
    "--via-webhook",
    metavar="URL",
    help="Call as the carrier does from the beginning: ask this webhook what to do, signed with the keys that the "
    "server has; open the stream that it names; and do what the server tells the carrier's REST interface, which "
    "stands at its configured address if that is on this machine.",
)
@click.option(
    "--signing-key",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The private key that signs webhooks, where the carrier has a key pair: see `voiceflow signing-key`. Without "
    "it, or without an auth token, a webhook on this machine shows the secret of the server's run instead.",
)
@config_option
@click.option(
    "--as",
    "provider",
    type=OneOf(callers),
    help="The carrier whose dialect it speaks, or webrtc for a browser. Without it, an http(s):// URL is called as a "
    "browser, a ws(s):// URL as the first of the carriers, and a webhook as the carrier in its path.",
)
@click.option(
    "--codec",
    type=OneOf(codecs),
    help="The audio codec, in both directions, by the carrier's name for it. Without it, the carrier's usual one.",
)
@click.option("--rate", type=int, metavar="HZ", help="The sample rate of L16, instead of 16000.")
@click.option(
    "--play",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="WAV",
    help="What the caller says. Given several times: the next when the agent has answered. Without it, a sentence that "
    "comes with voiceflow; with --digits, nothing.",
)
@click.option(
    "--script",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="What the caller says, presses and waits for, as a list in YAML. See below.",
)
@click.option(
    "--record",
    type=click.Path(path_type=Path),
    metavar="WAV",
    help="Record the first call: the caller on the left, on the right the agent as it was played.",
)
@click.option("--mono", is_flag=True, help="Record the agent alone.")
@click.option(
    "--digits",
    default="",
    metavar="KEYS",
    help="Keys to press after speaking: 0-9, *, #, A-D; w waits for 0.5 s.",
)
@click.option(
    "--barge-in-at",
    type=SECONDS,
    metavar="SECONDS",
    help="Interrupt the agent at this time, by the --digits or by saying everything again, and measure the time until "
    "its `clear`.",
)
@click.option("--calls", type=click.IntRange(min=1), default=1, metavar="N", help="How many calls at once.")
@click.option(
    "--seconds",
    type=SECONDS,
    metavar="SECONDS",
    help="Hang up after this time. Without it, when everything is said and the agent has been quiet for a second.",
)
@click.option("--loss", type=PERCENT, default=0.0, metavar="PERCENT", help="Share of the caller's audio to lose.")
@click.option("--jitter", type=click.FloatRange(min=0), default=0.0, metavar="MS", help="How late audio may arrive.")
@click.option(
    "--reorder",
    type=PERCENT,
    default=0.0,
    metavar="PERCENT",
    help="Share of the audio that arrives after the piece sent next, where the carrier does not keep the order.",
)
@click.option(
    "--vanish-after",
    type=SECONDS,
    metavar="SECONDS",
    help="Drop the connection after this time, in the middle of a message.",
)
@click.option("--from", "caller_id", default="+12025550123", show_default=True, metavar="NUMBER", help="Who calls.")
@click.option("--to", "did", default=TO, show_default=True, metavar="NUMBER", help="Who is called.")
@click.option("--token", metavar="TOKEN", help="The stream token, which a server demands unless it is local.")
@click.option("--call-id", metavar="ID", help="The id of the call for which the token was issued.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@log_level_option
def call(**options: Any) -> None:
    """Call a server as a carrier or a browser would, and measure what comes back.

    Audio goes out every 20 ms, and what comes back is played in real time. A simulated carrier returns marks once they
    were played, and refuses what the real one refuses, with the same error code. Who said what is shown, and how long
    each answer took: in a browser's call as the server tells it, in a carrier's as it was heard, in words where Whisper
    is installed. The delay can be measured of an echo only: `voiceflow run echo`.
    """
    from voiceflow.simulator.report import STOPPED

    from .call_table import show
    from .simulation import make_calls

    start_logging(options["log_level"] or "warning")  # by default the result is all that is printed
    asked = _asked(options)
    _check(asked)
    with explained(asked.log_level):
        made = make_calls(asked)
    if made is None:
        raise SystemExit(INTERRUPTED)
    result = made.report
    if asked.as_json:
        click.echo(json_of(result))
    else:
        show(result)
    if made.unwritten is not None:
        click.echo(f"Error: {made.unwritten}", err=True)
    if any(ending.reason == STOPPED for ending in result.ended):
        raise SystemExit(INTERRUPTED)
    if result.failed or made.unwritten is not None:
        raise SystemExit(1)
    if made.unanswered:
        raise click.ClickException("the caller was never answered")


def _asked(options: dict[str, Any]) -> CallOptions:
    """The options, with the provider and the codec filled in where they were not given."""
    from voiceflow.transports.carriers import carrier_named, names

    provider, webhook = options["provider"], options["via_webhook"]
    if webhook is None:
        for name, option in given(WEBHOOK_ONLY):
            raise Refused(f"{option} is {WEBHOOK_ONLY[name]}: add --via-webhook URL")
        if options["url"] is None:
            raise click.MissingParameter(param_type="argument", param_hint="'URL'")
    else:
        provider = _announced_by(options)
    if provider is None:
        provider = BROWSER if re.match("https?:", options["url"], re.IGNORECASE) else names()[0]
    codec = options["codec"]
    if provider == BROWSER:
        for name, option in given(CARRIERS_ONLY):
            raise Refused(f"{option} is a carrier's: {CARRIERS_ONLY[name]}")
        codec = OPUS
    elif codec is None:
        codec = next(iter(carrier_named(provider).codecs))
    url = options["url"] if webhook is None else webhook
    return CallOptions(
        **{**options, "url": url, "via_webhook": webhook is not None, "provider": provider, "codec": codec}
    )


def _announced_by(options: dict[str, Any]) -> str:
    """The carrier that announces the calls at a webhook."""
    from .call_webhook import carrier_at

    if options["url"] is not None:
        raise Refused(f"{options['url']} and --via-webhook: the webhook says where the stream is, leave out the one")
    for name, option in given(ANSWERED):
        raise Refused(f"{option} goes with the URL of a media stream: {ANSWERED[name]}")
    if options["provider"] == BROWSER:
        raise Refused("--via-webhook is a carrier's: leave out --as webrtc")
    return carrier_at(options["via_webhook"], options["provider"]).name


def _check(asked: CallOptions) -> None:
    """Refuse options that no carrier supports, and those that would only fail after the call."""
    if asked.provider != BROWSER:
        _check_carrier(asked)
    if asked.digits and not re.fullmatch(KEYS, asked.digits):
        raise Refused(f"--digits {asked.digits}: {KEYS_EXPECTED}")
    if asked.script is not None:
        for _, option in given(("play", "digits", "barge_in_at")):
            raise Refused(f"{option}: with --script, the script says what the caller does")
    if asked.barge_in_at is not None and len(asked.play) > 1:
        raise Refused("--barge-in-at goes with one --play: write a --script")
    if asked.calls > 1 and (asked.token is not None or asked.call_id is not None):
        raise Refused("--token and --call-id are those of one call: leave out --calls")
    if asked.mono and asked.record is None:
        raise Refused("--mono is about a recording: add --record WAV")
    if asked.record is not None:
        check_writable(asked.record)


def _check_carrier(asked: CallOptions) -> None:
    """Refuse options that this carrier does not support, and name the carriers that do."""
    from voiceflow.transports.carriers import carrier_named, carriers

    carrier = carrier_named(asked.provider)
    if asked.codec not in carrier.codecs:
        others = [each.name for each in carriers() if asked.codec in each.codecs]
        raise Refused(
            f"--codec {asked.codec}: {carrier.title} streams {' or '.join(carrier.codecs)} only, "
            f"add --as {' or '.join(others)}"
        )
    usual = carrier.codecs[asked.codec]
    if asked.rate is not None and usual.encoding != "pcm16":
        vary = " or ".join(codec for codec, format in carrier.codecs.items() if format.encoding == "pcm16")
        only = f", only that of --codec {vary} varies" if vary else ""
        raise Refused(f"--rate: the rate of {asked.codec} is {usual.rate} Hz{only}")
    if asked.reorder and carrier.in_order:
        others = [each.name for each in carriers() if not each.in_order]
        hint = f", add --as {' or '.join(others)}" if others else ""
        raise Refused(f"--reorder: {carrier.title} sends audio in order{hint}")
