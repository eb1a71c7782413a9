"""A browser's offer: whether a call can be held over it, and what aiortc is given of it.

Browsers hide their addresses behind names (`.local`) that only multicast DNS resolves. aiortc would ask the whole
network for them before it answers, and gives up at once where no address is known and the offer says that there are no
more. But the browser's own checks show where it is. So hidden candidates and the end of candidates are left out.

We send packets to each candidate, whoever is there. So an offer has few of them, and those are left out at whose
address no browser can be.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final

import msgspec

from voiceflow.errors import VoiceflowError

if TYPE_CHECKING:
    from aiortc import RTCIceCandidate
    from aiortc.sdp import MediaDescription

LONGEST: Final = 64 * 1024
"""Characters that an offer may have."""
MOST_MEDIA: Final = 8
"""Media lines that an offer may have. A browser offers audio, a data channel, and sometimes video."""
MOST_LINES: Final = 1000
"""Lines that an offer may have. A browser's has some 50 for audio, and 100 for each video; aiortc compares some of them
with all before."""
MOST_CANDIDATES: Final = 32
"""Candidates that a connection may have, with those that come behind its offer. Each is sent packets."""
_CANDIDATE: Final = "a=candidate:"
_END: Final = "a=end-of-candidates"
_THIS_NETWORK: Final = ipaddress.ip_network("0.0.0.0/8")


class OfferError(VoiceflowError):
    """An offer or ICE candidate that cannot be used. Says what is wrong with it."""


class Offer(msgspec.Struct, frozen=True):
    """An offer that can be answered."""

    sdp: str
    """The offer without what is left out."""
    candidates: frozenset[str]
    """All candidates of the offer, by where they are."""
    hidden: int
    """How many of them are hidden."""
    username: str
    password: str
    """The browser's ICE credentials. With other ones than before, ICE begins anew."""
    fingerprints: frozenset[str]
    """Of the certificates of the browser's connection. A connection of other ones is another connection."""


def read_offer(sdp: str, *, first: bool = True, local: bool = False) -> Offer:
    """Read an offer. The `first` one of a call must offer audio in both directions: later ones may hold the call.
    `local`: the browser may be on this machine.

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
    fingerprints = frozenset(f"{one.algorithm} {one.value}".lower() for one in dtls.fingerprints)
    candidates: set[str] = set()
    shown: list[str] = []
    hidden = 0
    for line in sdp.splitlines():
        if line.startswith(_CANDIDATE):
            candidate = read_candidate(line, None)
            candidates.add(place_of(candidate))
            hidden += is_hidden(candidate)
            if not is_usable(candidate, local=local):
                continue
        if line.strip() != _END:
            shown.append(f"{line}\r\n")
    return Offer("".join(shown), frozenset(candidates), hidden, ice.usernameFragment, ice.password, fingerprints)


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
    return candidate.ip.lower().rstrip(".").endswith(".local")


def is_usable(candidate: RTCIceCandidate, *, local: bool) -> bool:
    """Whether a browser can be where the candidate is: at the address of one machine, on this one only if the browser
    is `local`, and at a port."""
    try:
        address = ipaddress.ip_address(candidate.ip)
    except ValueError:
        return False  # a name, which is not looked up
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address
    if not 0 < candidate.port < 65536:
        return False
    if address.is_loopback or address.is_link_local:
        return local
    return not (address.is_multicast or address.is_reserved or address.is_unspecified or address in _THIS_NETWORK)


def place_of(candidate: RTCIceCandidate) -> str:
    """Where the candidate is, by which it is told from others."""
    return f"{candidate.protocol} {candidate.ip} {candidate.port}".lower()


def _audio(sdp: str) -> MediaDescription:
    """The offer's first audio line."""
    from aiortc.sdp import SessionDescription

    if len(sdp) > LONGEST:
        raise OfferError(f"expected an offer of at most {LONGEST} characters; got {len(sdp)}")
    lines = sdp.splitlines()
    for most, begin, what in (
        (MOST_LINES, "", "lines"),
        (MOST_MEDIA, "m=", "media lines"),
        (MOST_CANDIDATES, _CANDIDATE, "candidates"),
    ):
        if (count := sum(line.startswith(begin) for line in lines)) > most:
            raise OfferError(f"expected an offer of at most {most} {what}; got {count}")
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
