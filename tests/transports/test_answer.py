"""Answers to webhooks: what Twilio's SDK would write, whatever the text."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element, canonicalize, fromstring

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.twiml.voice_response import VoiceResponse

from voiceflow.errors import CallRejectedError
from voiceflow.transports.answer import refuse, reject
from voiceflow.transports.carriers import IncomingCall
from voiceflow.transports.carriers.telnyx import CARRIER as TELNYX
from voiceflow.transports.carriers.telnyx.settings import TelnyxCodec, TelnyxSettings
from voiceflow.transports.carriers.twilio import CARRIER as TWILIO
from voiceflow.transports.carriers.twilio.settings import TwilioSettings

URL = "wss://example.com/sip/media-stream"
# XML 1.0, section 2.2: what a document can hold.
xml_text = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc"], exclude_characters="\ufffe\uffff")
    | st.sampled_from("\t\n\r<>&\"'"),
    max_size=60,
)
not_xml = st.sampled_from("\x00\x01\x0b\x1f\ud800\udfff\ufffe\uffff")


def twilio_stream(url: str, *, token: str, caller_id: str, did: str) -> str:
    return TWILIO.connect(TwilioSettings(), url, IncomingCall("CA1", caller_id, did), token)


def telnyx_stream(url: str, *, token: str, caller_id: str, did: str, codec: TelnyxCodec = "PCMU") -> str:
    return TELNYX.connect(TelnyxSettings(codec=codec), url, IncomingCall("v3:1", caller_id, did), token)


def same(ours: str, oracle: VoiceResponse) -> bool:
    return canonicalize(ours) == canonicalize(str(oracle))


def stream(answer: str) -> Element:
    found = fromstring(answer).find("Connect/Stream")
    assert found is not None
    return found


def parameters(answer: str) -> dict[str | None, str | None]:
    return {parameter.get("name"): parameter.get("value") for parameter in stream(answer)}


def test_twilio_is_told_to_connect_the_call_to_our_socket() -> None:
    assert twilio_stream(URL, token="t0k.en", caller_id="+15550100", did="+15550199") == (
        '<?xml version="1.0" encoding="UTF-8"?><Response><Connect>'
        '<Stream url="wss://example.com/sip/media-stream"><Parameter name="token" value="t0k.en" />'
        '<Parameter name="from" value="+15550100" /><Parameter name="to" value="+15550199" /></Stream>'
        "</Connect></Response>"
    )


@given(xml_text, xml_text, xml_text, xml_text)
def test_twiml_is_what_twilios_sdk_writes(url: str, token: str, caller_id: str, did: str) -> None:
    oracle = VoiceResponse()
    expected = oracle.connect().stream(url=url)
    for name, value in {"token": token, "from": caller_id, "to": did}.items():
        expected.parameter(name=name, value=value)
    assert same(twilio_stream(url, token=token, caller_id=caller_id, did=did), oracle)


@pytest.mark.parametrize(("codec", "rate"), [("PCMU", 8000), ("PCMA", 8000), ("G722", 8000), ("L16", 16000)])
def test_telnyx_is_told_to_take_raw_audio_both_ways(codec: TelnyxCodec, rate: int) -> None:
    told = stream(telnyx_stream(URL, token="t0k.en", caller_id="+15550100", did="+15550199", codec=codec))
    assert told.attrib == {
        "url": URL,
        "bidirectionalMode": "rtp",
        "bidirectionalCodec": codec,
        "bidirectionalSamplingRate": str(rate),
    }


def test_nothing_follows_the_stream_so_that_the_call_ends_with_it() -> None:
    for answer in (twilio_stream, telnyx_stream):
        (connect,) = fromstring(answer(URL, token="", caller_id="", did=""))
        assert connect.tag == "Connect"


@given(xml_text, xml_text, xml_text)
def test_any_parameter_survives_the_xml(token: str, caller_id: str, did: str) -> None:
    for answer in (twilio_stream, telnyx_stream):
        told = parameters(answer(URL, token=token, caller_id=caller_id, did=did))
        assert told == {"token": token, "from": caller_id, "to": did}


@given(xml_text, not_xml, xml_text)
def test_text_that_xml_cannot_hold_is_refused(before: str, character: str, after: str) -> None:
    arguments: dict[str, Any] = {"token": "t", "caller_id": before + character + after, "did": "+1"}
    for answer in (twilio_stream, telnyx_stream):
        with pytest.raises(CallRejectedError, match=f"'from' contains U\\+{ord(character):04X}"):
            answer(URL, **arguments)
    with pytest.raises(CallRejectedError, match="the message contains"):
        refuse(before + character + after)


def test_a_parameter_is_as_long_as_twilio_takes_and_no_longer() -> None:
    longest = "x" * (499 - len("token"))
    assert parameters(twilio_stream(URL, token=longest, caller_id="", did=""))["token"] == longest
    with pytest.raises(CallRejectedError, match="'token' has 495 characters, and carriers take less than 495"):
        twilio_stream(URL, token=longest + "x", caller_id="", did="")


@given(xml_text)
def test_a_refusal_is_spoken_and_hangs_up(message: str) -> None:
    oracle = VoiceResponse()
    oracle.say(message)
    oracle.hangup()
    assert same(refuse(message), oracle)


@pytest.mark.parametrize(("language", "voice"), [("de", "de-DE"), ("pt", "pt-BR"), ("en", None), ("sv", None)])
def test_a_refusal_is_spoken_by_a_voice_of_its_language(language: str, voice: str | None) -> None:
    oracle = VoiceResponse()
    oracle.say("...", language=voice)
    oracle.hangup()
    assert same(refuse("...", language), oracle)


@pytest.mark.parametrize("reason", ["rejected", "busy"])
def test_a_rejection_does_not_answer_the_call(reason: Any) -> None:
    oracle = VoiceResponse()
    oracle.reject(reason=reason)
    assert same(reject(reason), oracle)
