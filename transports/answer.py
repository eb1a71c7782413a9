"""What a carrier is told when it asks what to do with a call: TwiML for Twilio, TeXML for Telnyx.

Pure functions from values to XML text. `<Connect><Stream>` hands the call's audio to our WebSocket, in both
directions, for as long as the socket is open: no verb follows it, so the call ends with the stream, and no
`<Pause>` limits it. Carriers drop a query string from the stream's URL or refuse it, so all that the stream has
to bring back stands in `<Parameter>`s.

Values are escaped by ElementTree. What XML cannot hold at all, such as U+0000, is refused.

Sources: twilio.com/docs/voice/twiml (stream, say, reject); developers.telnyx.com, "TeXML verbs" (Stream, Say,
Reject).
"""

from __future__ import annotations

import re
from typing import Final, Literal
from xml.etree.ElementTree import Element, SubElement, tostring

from voiceflow.errors import CallRejectedError

TelnyxCodec = Literal["PCMU", "PCMA", "G722", "L16"]

LONGEST_PARAMETER: Final = 500
"""A parameter's name and value together have less characters than this (Twilio)."""

# In Hz. Telnyx assumes 8000 unless told otherwise, for L16 too. G.722 is named by its clock in RTP, which is 8000
# though it samples at 16 000 (RFC 3551, section 4.5.2).
TELNYX_RATES: Final[dict[str, int]] = {"PCMU": 8000, "PCMA": 8000, "G722": 8000, "L16": 16000}

# XML 1.0, section 2.2, "Char"
_not_xml = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def twilio_stream(url: str, *, token: str, caller_id: str, did: str) -> str:
    """TwiML that connects the call to the WebSocket at `url`, which is `wss://` and has no query string."""
    return _stream(url, {}, {"token": token, "from": caller_id, "to": did})


def telnyx_stream(url: str, *, token: str, caller_id: str, did: str, codec: TelnyxCodec = "PCMU") -> str:
    """TeXML that connects the call to the WebSocket at `url`. The agent's audio will be in `codec`; that of the
    caller is what the phone leg negotiated, as the stream's start message says."""
    bidirectional = {
        "bidirectionalMode": "rtp",  # else it is mp3, and audio we send is dropped in silence
        "bidirectionalCodec": codec,
        "bidirectionalSamplingRate": str(TELNYX_RATES[codec]),
    }
    return _stream(url, bidirectional, {"token": token, "from": caller_id, "to": did})


def refuse(message: str) -> str:
    """Answer the call, say `message`, hang up. For both carriers."""
    response = Element("Response")
    SubElement(response, "Say").text = _checked("the message", message)
    SubElement(response, "Hangup")
    return _document(response)


def reject(reason: Literal["rejected", "busy"] = "rejected") -> str:
    """Do not answer the call, which costs nothing: the caller hears that the number is not in service, or is
    busy. For both carriers."""
    response = Element("Response")
    SubElement(response, "Reject", reason=reason)
    return _document(response)


def _stream(url: str, attributes: dict[str, str], parameters: dict[str, str]) -> str:
    response = Element("Response")
    stream = SubElement(
        SubElement(response, "Connect"), "Stream", {"url": _checked("the stream's URL", url), **attributes}
    )
    for name, value in parameters.items():
        if len(name) + len(value) >= LONGEST_PARAMETER:
            raise CallRejectedError(
                f"the stream parameter {name!r} has {len(value)} characters, and carriers take less than "
                f"{LONGEST_PARAMETER - len(name)}"
            )
        SubElement(stream, "Parameter", name=name, value=_checked(f"the stream parameter {name!r}", value))
    return _document(response)


def _checked(what: str, text: str) -> str:
    wrong = _not_xml.search(text)
    if wrong is not None:
        raise CallRejectedError(f"{what} contains U+{ord(wrong[0]):04X}, which XML cannot hold")
    return text


def _document(response: Element) -> str:
    return '<?xml version="1.0" encoding="UTF-8"?>' + tostring(response, encoding="unicode")
