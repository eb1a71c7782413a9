"""Reads answers in TwiML and its dialects as the carrier does. answer.py writes them; the two share nothing, so that
one misunderstanding is not in both.

Sources: twilio.com/docs/voice/twiml; developers.telnyx.com, "TeXML verbs", "TeXML stream".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Final
from xml.etree.ElementTree import Element, ParseError, fromstring

from voiceflow.audio import AudioFormat
from voiceflow.errors import ProviderConnectionError
from voiceflow.transports.carriers.double import StreamEvent
from voiceflow.transports.carriers.instructions import (
    DialNumber,
    HangUpCall,
    Instruction,
    OpenStream,
    PlayDigits,
    RejectCall,
    SpeakText,
)

KNOWN: Final = "Connect (with Stream), Say, Play (with digits), Pause, Dial, Reject and Hangup"
MEDIA_TYPES: Final = ("application/xml", "text/xml")
LARGEST: Final = 64 * 1024
"""Bytes that a document may have."""

Outbound = Callable[[Element], AudioFormat | None]
"""The format that a `<Stream>` asks the agent's audio to have."""


class AnswerError(ProviderConnectionError):
    """An answer that a carrier cannot follow."""


def read(title: str, media_type: str, answer: bytes, outbound: Outbound) -> list[Instruction]:
    """What `answer` tells the carrier `title` to do. Raises `AnswerError`."""
    kind = media_type.partition(";")[0].strip().lower()
    if kind not in MEDIA_TYPES:
        raise AnswerError(
            f"expected an answer of type {' or '.join(MEDIA_TYPES)}; got {kind or 'none'!r}: {_shown(answer)}"
        )
    return parse(title, answer, outbound)


def parse(title: str, document: bytes, outbound: Outbound) -> list[Instruction]:
    """What the XML `document` tells the carrier `title` to do. Raises `AnswerError`."""
    if len(document) > LARGEST or b"<!DOCTYPE" in document:
        raise AnswerError(f"expected at most {LARGEST} bytes of XML without a DOCTYPE; got {_shown(document)}")
    try:
        root = fromstring(document)
    except (ParseError, ValueError, LookupError) as error:  # the last two: encodings
        raise AnswerError(f"expected XML with a <Response>; got {_shown(document)} ({error})") from None
    if root.tag != "Response":
        raise AnswerError(f"expected <Response> around the answer; got <{root.tag[:80]}>")
    return list(_until_the_end(title, root, outbound))


def _until_the_end(title: str, root: Element, outbound: Outbound) -> Iterator[Instruction]:
    """The instructions up to the one that ends the call: a carrier never comes to what follows."""
    for verb in root:
        match verb.tag:
            case "Connect":
                yield _stream(title, verb, outbound)
            case "Say":
                yield SpeakText("".join(verb.itertext()).strip())
            case "Play" if verb.get("digits"):
                yield PlayDigits(verb.get("digits", ""))
            case "Pause":
                pass
            case "Dial":
                yield DialNumber(_dialled(verb))
            case "Reject":
                yield RejectCall(verb.get("reason", "rejected"))
                return
            case "Hangup":
                yield HangUpCall()
                return
            case other:
                raise AnswerError(
                    f"the answer tells {title} to <{other[:80]}>, which the simulated carrier does not do: it knows "
                    f"{KNOWN}"
                )


def _stream(title: str, connect: Element, outbound: Outbound) -> OpenStream:
    nouns = [noun.tag for noun in connect]
    if nouns != ["Stream"]:
        raise AnswerError(
            f"expected one <Stream> in <Connect>; got {_tags(nouns)}, which the simulated carrier does not do"
        )
    stream, action = connect[0], connect.get("action")
    if action is not None:
        raise AnswerError(
            f"expected <Connect> without an action; got {action[:200]!r}, which the simulated carrier does not ask"
        )
    url = stream.get("url", "").strip()
    if not re.match(r"wss://|ws://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?(/|\Z)", url):
        raise AnswerError(
            f"expected a <Stream> with a url that begins with wss://; got {url[:200]!r}: set public_ws_url"
        )
    if "?" in url:
        raise AnswerError(f"expected a <Stream> whose url has no query, which {title} drops; got {url[:200]!r}")
    parameters = {each.get("name", ""): each.get("value", "") for each in stream if each.tag == "Parameter"}
    return OpenStream(url, parameters, outbound(stream), stream.get("statusCallback", ""))


def stream_status(account: str, event: StreamEvent) -> dict[str, str]:
    """The form that a status callback is sent."""
    form = {
        "AccountSid": account,
        "CallSid": event.call_id,
        "StreamEvent": event.event,
        "StreamSid": event.stream_id,
        "Timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }
    return form | ({"StreamError": event.error} if event.error else {})


def _dialled(dial: Element) -> str:
    """The number or the address that a `<Dial>` names."""
    nouns = [noun.tag for noun in dial]
    if nouns and (len(nouns) > 1 or nouns[0] not in ("Number", "Sip")):
        raise AnswerError(
            f"expected one <Number> or <Sip> in <Dial>; got {_tags(nouns)}, which the simulated carrier does not do"
        )
    to = "".join(dial.itertext()).strip()
    if not to:
        raise AnswerError("expected a number in <Dial>; it is empty")
    return to


def _tags(names: list[str]) -> str:
    return " ".join(f"<{name[:80]}>" for name in names) or "nothing"


def _shown(answer: bytes) -> str:
    return repr(answer[:120].decode(errors="replace")) if answer.strip() else "an empty answer"
