"""The page's words: who answers, what is missing, and all of it in the reader's language."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from browser.chromium import needs_chromium, open_page, run
from browser.scripted import Scripted, says
from playwright.async_api import expect
from server.serving import echo, serving

from voiceflow import Call, Clear
from voiceflow.pipeline import Element
from voiceflow.processors import AutoLLM
from voiceflow.server.browsercalls import STOPPING
from voiceflow.transports.media_stream import FAILURE

pytestmark = needs_chromium

WEB = Path(__file__).parent.parent.parent / "voiceflow" / "web"
COMMENT = re.compile(r"/\*.*?\*/|(?<!:)//[^\n]*", re.DOTALL)
LITERAL = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
OF_THE_SERVER = {STOPPING, "hung up"}
"""Reasons that come from the server."""
NOT_SHOWN = {FAILURE, "a call is on already: hang up first"}
"""What the page puts in other words, and an error for authors of pages."""
IN_THE_PAGE = """async () => {
  const { body } = new DOMParser().parseFromString(await (await fetch("/")).text(), "text/html");
  const texts = [...body.querySelectorAll("[aria-label]")].map((element) => element.ariaLabel);
  const walker = document.createTreeWalker(body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) texts.push(walker.currentNode.data);
  return texts.map((text) => text.replace(/\\s+/g, " ").trim()).filter((text) => /\\p{L}/u.test(text));
}"""


def literals() -> set[str]:
    """All texts in the code of the page."""
    code = "".join(COMMENT.sub("", file.read_text()) for file in WEB.glob("*.js") if file.name != "german.js")
    return set(LITERAL.findall(code))


def sentences() -> set[str]:
    """Those of several words, which are for people."""
    return {text for text in literals() if re.match(r"[\w{]+('s)? \S", text)} - NOT_SHOWN


def test_every_word_of_the_page_is_there_in_german_and_nothing_else_is():
    async def main() -> None:
        async with serving(Scripted({}, {})) as served, open_page(served.http) as page:
            german = await page.evaluate("async () => (await import('/german.js')).GERMAN")
            shown = set(await page.evaluate(IN_THE_PAGE)) - {"voiceflow"}
            assert (sentences() | shown | OF_THE_SERVER) - german.keys() == set()
            assert german.keys() - literals() - shown - OF_THE_SERVER == set()
            for english, words in german.items():
                assert re.findall(r"\{\w+\}|`[^`]*`", english) == re.findall(r"\{\w+\}|`[^`]*`", words)

    run(main())


@pytest.mark.parametrize(
    ("locale", "language", "status"),
    [
        ("de-AT", "de", "Bereit. „Anrufen“ drücken und sprechen."),
        ("en-US", "en", "Ready. Press Call and talk."),
        ("fi-FI", "en", "Ready. Press Call and talk."),
    ],
)
def test_the_page_speaks_the_readers_language_or_else_english(locale: str, language: str, status: str):
    async def main() -> None:
        async with serving(Scripted({}, {})) as served, open_page(served.http, locale=locale) as page:
            await expect(page.locator("html")).to_have_attribute("lang", language)
            await expect(page.locator("#status")).to_have_text(status)

    run(main())


def test_the_first_of_the_readers_languages_that_the_page_knows_is_taken():
    async def main() -> None:
        async with serving(Scripted({}, {})) as served, open_page(served.http) as page:
            await page.add_init_script("""Object.defineProperties(Navigator.prototype, {
                language: { get: () => "fi" },
                languages: { get: () => ["fi", "de-CH", "en"] },
            })""")
            await page.reload()
            await expect(page.locator("#call")).to_have_text("Anrufen")

    run(main())


def test_a_whole_call_in_german():
    happens = {"1": says("Hallo"), "0": [Clear()]}

    async def main() -> None:
        scripted = Scripted(happens, {"Hallo": "Guten Tag. Was kann ich tun?"})
        async with serving(scripted) as served, open_page(served.http, locale="de-DE") as page:
            status = page.locator("#status")
            await page.click("#call")
            await expect(status).to_have_text("Der Agent hört zu.")
            await page.keyboard.press("1")
            await expect(status).to_have_text("Der Agent spricht.")
            await expect(page.locator(".coming")).to_have_text("Was kann ich tun?")
            await page.keyboard.press("0")
            await expect(page.locator(".unheard")).to_contain_text("Hier unterbrochen. Nicht gehört:")
            await expect(page.locator("#latency summary")).to_contain_text("Runde 1")
            await expect(page.locator("#latency summary")).to_contain_text(re.compile(r"0,\d\d s"))
            await page.click("#call")
            await expect(status).to_have_text("Anruf beendet: Sie haben aufgelegt.")

    run(main())


def test_a_refused_microphone_is_told_in_german_too():
    async def main() -> None:
        async with (
            serving(Scripted({}, {})) as served,
            open_page(served.http, microphone="refused", locale="de-DE") as page,
        ):
            await page.click("#call")
            await expect(page.locator("#status")).to_contain_text("das Mikrofon wurde verweigert")

    run(main())


def by_whatever_model_there_is(call: Call) -> Element:
    return Scripted({}, {}).with_model(call, AutoLLM())


@pytest.mark.parametrize(
    ("answers", "locale", "words"),
    [
        ("echo", "en-US", "This pipeline is an echo: you hear what you say, and nobody answers."),
        ("echo", "de-DE", "Diese Pipeline ist ein Echo"),
        ("rules", "en-US", "No language model was found: a few built-in rules answer."),
        ("rules", "de-DE", "Es wurde kein Sprachmodell gefunden"),
        ("agent", "en-US", ""),
    ],
)
def test_what_is_missing_to_get_answers_is_said_before_a_call(
    answers: str, locale: str, words: str, monkeypatch: pytest.MonkeyPatch
):
    for name in ("LLM_PROVIDER", "ANTHROPIC_API_KEY", "OPENAI_API_KEY", "OLLAMA_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OLLAMA_URL", "http://127.0.0.1:9")
    build = {"echo": echo, "rules": by_whatever_model_there_is, "agent": Scripted({}, {})}[answers]

    async def main() -> None:
        async with serving(build) as served, open_page(served.http, locale=locale) as page:
            notice = page.locator("#notice")
            if not words:
                await expect(notice).to_be_hidden()
                return
            await expect(notice).to_contain_text(words)
            commands = await notice.locator("code").all_inner_texts()
            assert commands[-1] == ("ollama pull llama3.2" if answers == "rules" else "voiceflow run assistant")

    run(main())


def test_in_an_echo_the_page_speaks_of_no_agent():
    async def main() -> None:
        async with serving() as served, open_page(served.http) as page:
            await expect(page.locator("#agent p")).to_have_text("Echo")
            await page.click("#call")
            await expect(page.locator("#status")).to_have_text("You hear yourself.")
            await expect(page.locator("#talk-hint")).to_be_hidden()

    run(main())
