"""Asks one STUN or TURN server for what a call needs from it."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from typing import Any, Final, cast

import msgspec
from aioice import stun, turn
from aiortc.rtcicetransport import parse_stun_turn_uri

from voiceflow.inference.daemon_thread import in_thread
from voiceflow.server.listening import written

ANSWER: Final = 4.0
"""Seconds that a server has to answer. A packet that is lost is sent again after half a second, and after one more."""
RETRIES: Final = 2
REFUSED: Final = (401, 441)
"""Unauthorized, Wrong Credentials (RFC 8656, section 19; RFC 8489, section 14.8)."""


class Probe(msgspec.Struct, frozen=True):
    """The result of asking one server."""

    url: str
    works: bool
    said: str
    refused: bool = False
    """Whether it answers, but does not accept the credentials."""


async def probe(url: str, username: str | None, credential: str | None) -> Probe:
    """Ask the server at `url`, an `ice.urls`, for our address or for a relay."""
    try:
        parts = parse_stun_turn_uri(url)
    except ValueError as error:
        return Probe(url, False, str(error))
    if parts["scheme"] == "stuns":
        return Probe(url, False, "not tested: STUN over TLS is for browsers only, this side does not use it")
    began = time.monotonic()
    try:
        async with asyncio.timeout(ANSWER):
            address = (await _resolve(parts["host"]), parts["port"])
            if parts["scheme"] == "stun":
                mapped = await _mapped(address)
                said = f"sees us as {mapped}"
            else:
                context = ssl.create_default_context() if parts["scheme"] == "turns" else None
                target = (parts["host"], parts["port"]) if context else address  # TLS needs the name
                relayed = await _relayed(target, username, credential, parts["transport"], context)
                said = f"takes the credentials and relays by {relayed}"
    except stun.TransactionFailed as error:
        code, reason = error.response.attributes.get("ERROR-CODE", (0, "no reason"))
        told = f"refuses the credentials ({code} {reason})" if code in REFUSED else f"refuses ({code} {reason})"
        return Probe(url, False, told, refused=code in REFUSED)
    except (TimeoutError, stun.TransactionError):
        return Probe(url, False, f"no answer within {ANSWER:g} s")
    except (OSError, ValueError, UnicodeError) as error:
        return Probe(url, False, _reason(error, parts["host"]))
    return Probe(url, True, f"{said}, after {(time.monotonic() - began) * 1000:.0f} ms")


async def _resolve(host: str) -> str:
    """The IPv4 address of `host`: a call, too, asks servers for candidates by IPv4 only."""
    return await in_thread(lambda: socket.gethostbyname(host))


def _reason(error: Exception, host: str) -> str:
    match error:
        case socket.gaierror() | UnicodeError():
            return f"there is no host called {host}"
        case ConnectionRefusedError():
            return "nothing listens there"
        case ssl.SSLError():
            return f"TLS fails: {error.reason or error}"
    return str(error) or type(error).__name__


class _Asker(asyncio.DatagramProtocol):
    """A STUN client for a single request."""

    def __init__(self) -> None:
        self.transaction: stun.Transaction | None = None
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def send_stun(self, message: stun.Message, addr: tuple[str, int]) -> None:
        assert self._transport is not None
        self._transport.sendto(bytes(message))

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        try:
            message = stun.parse_message(data)
        except ValueError:
            return
        if self.transaction is not None and message.message_class in (stun.Class.RESPONSE, stun.Class.ERROR):
            self.transaction.response_received(message, addr[:2])


async def _mapped(address: tuple[str, int]) -> str:
    loop = asyncio.get_running_loop()
    transport, asker = await loop.create_datagram_endpoint(_Asker, remote_addr=address)
    try:
        request = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)
        asker.transaction = stun.Transaction(request, address, asker, retransmissions=RETRIES)
        response, _ = await asker.transaction.run()
        return written(*response.attributes["XOR-MAPPED-ADDRESS"])
    except KeyError:
        raise ValueError("its answer holds no address") from None
    finally:
        transport.close()


class _Relayed(asyncio.DatagramProtocol):
    """Our end of a TURN allocation, which is given back at once; `lost` is set when it is gone."""

    def __init__(self) -> None:
        self.lost = asyncio.Event()

    def connection_lost(self, error: Exception | None) -> None:
        self.lost.set()


async def _relayed(
    address: tuple[str, int], username: str | None, credential: str | None, transport: str, tls: ssl.SSLContext | None
) -> str:
    relay, protocol = await turn.create_turn_endpoint(
        _Relayed, address, username, credential, ssl=tls, transport=transport
    )
    try:
        return written(*relay.get_extra_info("sockname"))
    finally:
        relay.close()
        await protocol.lost.wait()
