"""A browser's offer: whether a call can be held over it, and what aiortc is given of it.

Browsers hide their addresses behind names (`.local`) that only multicast DNS resolves. aiortc would ask the whole
network for them before it answers, and gives up at once where no address is known and the offer says that there are no
more. But the browser's own checks show where it is. So hidden candidates and the end of candidates are left out.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from voiceflow.errors import VoiceflowError

if TYPE_CHECKING:
    from aiortc import RTCIceCandidate
    from aiortc.sdp import MediaDescription

LONGEST: Final = 64 * 1024
"""Characters that an offer may have."""
_HIDDEN: Final = re.compile(r"a=candidate:(?:\S+ ){4}\S+\.local .*", re.IGNORECASE)
_END: Final = "a=end-of-candidates"


class OfferError(VoiceflowError):
    """An offer or ICE candidate that cannot be used. Says what is wrong with it."""


class Offer(msgspec.Struct, frozen=True):
    """An offer that can be answered."""

    sdp: str
    """The offer without hidden candidates and without the end of candidates."""
    hidden: int
    """How many hidden candidates there were."""
    username: str
    password: str
    """The browser's ICE credentials. With other ones than before, ICE begins anew."""
    fingerprints: frozenset[str]
    """Of the certificates of the browser's connection. A connection of other ones is another connection."""


def read_offer(sdp: str, *, first: bool = True) -> Offer:
    """Read an offer. The `first` one of a call must offer audio in both directions: later ones may hold the call.

    Raises `OfferError` for an offer that no call can be held over.
    """
    audio = _audio(sdp)
    if first and audio.direction not in (None, "sendrecv"):
        raise OfferError(f"expected audio both ways (sendrecv); the offer's is {audio.direction}")
    if not any(codec.mimeType.lower() == "audio/opus" for codec in audio.rtp.codecs):
        raise OfferError("expected Opus among the offer's audio codecs; it is not there")
    ice, dtls = audio.ice, audio.dtls
    if ice is None or not ice.usernameFragment or not ice.password:
        raise OfferError("expected ICE credentials in the offer (a=ice-ufrag, a=ice-pwd); they are not there")
    if dtls is None or not dtls.fingerprints:
        raise OfferError("expected the fingerprint of a certificate in the offer; there is none")
    shown, hidden = _shown(sdp)
    fingerprints = frozenset(f"{one.algorithm} {one.value}".lower() for one in dtls.fingerprints)
    return Offer(shown, hidden, ice.usernameFragment, ice.password, fingerprints)


def read_candidate(candidate: str, mid: str | None, line: int | None = None) -> RTCIceCandidate:
    """Read a candidate that came behind its offer: the text after "a=", the `mid` or number of its media line. Raises
    `OfferError`."""
    from aiortc.sdp import candidate_from_sdp

    try:
        read = candidate_from_sdp(candidate.removeprefix("a=").removeprefix("candidate:"))
    except Exception as error:  # aiortc does not document what its parser raises
        raise OfferError(f"expected an ICE candidate; got {candidate[:100]!r}") from error
    read.sdpMid, read.sdpMLineIndex = mid, line
    return read


def is_hidden(candidate: RTCIceCandidate) -> bool:
    """Whether the candidate's address is a name that stands for it on its own network."""
    return candidate.ip.lower().endswith(".local")


def _audio(sdp: str) -> MediaDescription:
    """The offer's first audio line."""
    from aiortc.sdp import SessionDescription

    if len(sdp) > LONGEST:
        raise OfferError(f"expected an offer of at most {LONGEST} characters; got {len(sdp)}")
    try:
        offer = SessionDescription.parse(sdp)
        parsed = offer.media or sdp.startswith("v=")
    except Exception:  # aiortc does not document what its parser raises
        parsed = False
    if not parsed:
        raise OfferError(f"expected a session description (SDP) that begins with v=0; got {sdp[:60]!r}")
    audio = next((media for media in offer.media if media.kind == "audio"), None)
    if audio is None:
        raise OfferError("the offer has no audio: add the microphone's track to the connection before createOffer")
    return audio


def _shown(sdp: str) -> tuple[str, int]:
    """The offer without what is left out, and how many candidates were hidden."""
    lines = sdp.splitlines()
    shown = [line for line in lines if not _HIDDEN.fullmatch(line)]
    return "\r\n".join(line for line in shown if line.strip() != _END) + "\r\n", len(lines) - len(shown)
