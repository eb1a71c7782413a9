"""`VoiceflowClient` as an application uses it, and calls without it."""

from typing import Any

import pytest
from browser.chromium import needs_chromium, open_page, run
from browser.scripted import Scripted
from playwright.async_api import Page
from server.serving import serving, until

pytestmark = needs_chromium

MAKE = """async () => {
  const { VoiceflowClient } = await import("/voiceflow-client.js");
  window.events = [];
  window.client = new VoiceflowClient();
  for (const name of ["ready", "lost", "connected", "failed", "ended"]) {
    client.addEventListener(name, ({ detail }) => events.push(detail.reason ? `${name}: ${detail.reason}` : name));
  }
  await new Promise((resolve) => client.addEventListener("ready", resolve, { once: true }));
}"""


async def use(page: Page, script: str) -> Any:
    """Make a client and run `script`; returns what it returns, and the events of the client."""
    await page.evaluate(MAKE)
    return await page.evaluate(f"async () => {{ {script} }}"), await page.evaluate("events")


ONCE = ["ready", "ended: you hung up"]


DURING = """
    const original = RTCPeerConnection.prototype.{method};
    RTCPeerConnection.prototype.{method} = function (...options) {{
        const doing = original.call(this, ...options);
        client.hangUp();
        return doing;
    }};
    await starting;
"""


@pytest.mark.parametrize(
    ("moment", "events"),
    [
        ("at once", ONCE),
        ("when the microphone is there", ONCE),
        ("while it makes its offer", ONCE),
        ("when it has offered", ONCE),
        ("while it takes the answer", ONCE),
        ("when it is up", ["ready", "connected", "ended: you hung up"]),
    ],
)
def test_a_call_that_is_hung_up_ends_once_whenever_that_is(moment: str, events: list[str]):
    wait = {
        "at once": "",
        "when the microphone is there": "while (!client.localStream) await new Promise(requestAnimationFrame);",
        "while it makes its offer": DURING.format(method="setLocalDescription"),
        "when it has offered": "while (peers.at(-1)?.iceGatheringState !== 'complete') await new Promise(setTimeout);",
        "while it takes the answer": DURING.format(method="setRemoteDescription"),
        "when it is up": "await starting;",
    }
    script = f"""
        const starting = client.startCall();
        {wait[moment]}
        client.hangUp();
        client.hangUp();
        const inCall = client.inCall;
        return [await starting, inCall, microphones.every(({{ readyState }}) => readyState === "ended")];
    """

    async def main() -> None:
        async with serving(Scripted({}, {})) as served, open_page(served.http) as page:
            result, seen = await use(page, script)
            assert result == [moment == "when it is up", False, True]
            assert seen == events
            await until(lambda: not served.server.calls.active)

    run(main())


def test_calls_may_follow_each_other_at_once():
    script = """
        for (let round = 0; round < 3; round += 1) {
            const given_up = client.startCall();
            while (peers.at(round)?.iceGatheringState !== "complete") await new Promise(setTimeout);
            client.hangUp();
            if (await given_up) throw new Error("it was hung up before it was up");
        }
        return client.startCall();
    """

    async def main() -> None:
        async with serving(Scripted({}, {})) as served, open_page(served.http) as page:
            up, events = await use(page, script)
            assert up is True
            assert events == ["ready", *["ended: you hung up"] * 3, "connected"]
            await until(lambda: len(served.server.calls.active) == 1)
            await page.evaluate("client.destroy()")
            await until(lambda: not served.server.calls.active)

    run(main())


def test_one_client_holds_one_call():
    script = """
        const starting = client.startCall();
        const second = await client.startCall().catch((error) => error.message);
        return [second, await starting, await client.startCall().catch((error) => error.message)];
    """

    async def main() -> None:
        async with serving(Scripted({}, {})) as served, open_page(served.http) as page:
            (before, up, after), events = await use(page, script)
            assert up is True
            assert before == after == "a call is on already: hang up first"
            assert events == ["ready", "connected"]

    run(main())


def test_a_client_that_was_destroyed_is_quiet_and_calls_no_more():
    script = """
        const starting = client.startCall();
        client.destroy();
        return [await starting, await client.startCall()];
    """

    async def main() -> None:
        async with serving(Scripted({}, {})) as served, open_page(served.http) as page:
            result, events = await use(page, script)
            assert result == [False, False]
            gone = "the server cannot be reached: try again in a moment"
            assert events == [*ONCE, f"failed: {gone}", f"ended: {gone}"]

    run(main())


def test_an_offer_that_the_server_does_not_take_is_a_call_that_failed():
    script = """
        RTCPeerConnection.prototype.addTrack = () => {};
        return client.startCall();
    """

    async def main() -> None:
        async with serving(Scripted({}, {})) as served, open_page(served.http) as page:
            up, (ready, failed, ended) = await use(page, script)
            assert (up, ready) == (False, "ready")
            assert failed.startswith("failed: the offer has no audio")
            assert ended.removeprefix("ended") == failed.removeprefix("failed")

    run(main())


def test_a_page_without_the_client_calls_with_one_request():
    script = """async () => {
        const peer = new RTCPeerConnection();
        const microphone = await navigator.mediaDevices.getUserMedia({ audio: true });
        for (const track of microphone.getTracks()) peer.addTrack(track, microphone);
        const connected = new Promise((resolve) => {
            peer.onconnectionstatechange = () => peer.connectionState === "connected" && resolve("connected");
        });
        await peer.setLocalDescription();
        while (peer.iceGatheringState !== "complete") await new Promise(setTimeout);
        const body = JSON.stringify(peer.localDescription);
        const answer = await (await fetch("/api/offer", { method: "POST", body })).json();
        await peer.setRemoteDescription({ type: answer.type, sdp: answer.sdp });
        return connected;
    }"""

    async def main() -> None:
        async with serving(Scripted({}, {})) as served, open_page(served.http) as page:
            assert await page.evaluate(script) == "connected"
            await until(lambda: len(served.server.calls.active) == 1)
            await page.goto("about:blank")
            await until(lambda: not served.server.calls.active)

    run(main())
