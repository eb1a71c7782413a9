"""XML answers to a carrier's webhook, which asks what to do with a call: TwiML and its dialects, such as TeXML.

Pure functions from values to XML text. `<Connect><Stream>` hands the call's audio to our WebSocket, in both
directions, for as long as the socket is open: no verb follows it, so the call ends with the stream, and no
`<Pause>` limits it. Carriers drop a query string from the stream's URL or refuse it, so everything that the stream
has to bring back is in `<Parameter>`s.

Values are escaped by ElementTree. Characters that XML cannot hold at all, such as U+0000, raise `CallRejectedError`.

Sources: twilio.com/docs/voice/twiml (stream, say, reject); developers.telnyx.com, "TeXML verbs" (Stream, Say,
Reject).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Literal
from xml.etree.ElementTree import Element, SubElement, tostring

from voiceflow.errors import CallRejectedError

LONGEST_PARAMETER: Final = 500
"""A stream parameter's name and value together must have fewer characters than this: the strictest carrier's limit."""

SPOKEN: Final = {"de": "de-DE", "es": "es-ES", "fr": "fr-FR", "it": "it-IT", "nl": "nl-NL", "pt": "pt-BR"}
"""The values of the attribute `language` of `<Say>`; without it the carriers' voices speak English."""

# XML 1.0, section 2.2, "Char"
_not_xml = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def connect(url: str, attributes: Mapping[str, str], parameters: Mapping[str, str]) -> str:
    """Connect the call to the WebSocket at `url`, which is `wss://` and has no query string.

    `parameters` come back in the stream's start message; `attributes` are the carrier's own, of `<Stream>`. Raises
    `CallRejectedError` for a value that is too long or that XML cannot hold.
    """
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


def refuse(message: str, language: str = "en") -> str:
    """Answer the call, say `message`, which is in `language`, and hang up. Raises `CallRejectedError` if XML cannot
    hold the message."""
    response = Element("Response")
    voice = {"language": SPOKEN[language]} if language in SPOKEN else {}
    SubElement(response, "Say", voice).text = _checked("the message", message)
    SubElement(response, "Hangup")
    return _document(response)


def reject(reason: Literal["rejected", "busy"] = "rejected") -> str:
    """Do not answer the call, which keeps it free of charge: the caller hears that the number is not in service, or
    that it is busy."""
    response = Element("Response")
    SubElement(response, "Reject", reason=reason)
    return _document(response)


def _checked(what: str, text: str) -> str:
    wrong = _not_xml.search(text)
    if wrong is not None:
        raise CallRejectedError(f"{what} contains U+{ord(wrong[0]):04X}, which XML cannot hold")
    return text


def _document(response: Element) -> str:
    return '<?xml version="1.0" encoding="UTF-8"?>' + tostring(response, encoding="unicode")
