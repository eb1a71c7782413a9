"""Pictures of plans: as text, as a Mermaid flowchart, as SVG."""

from __future__ import annotations

import dataclasses
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator, Iterator

import pytest

from voiceflow import draw
from voiceflow.audio import ANY, CANONICAL, AudioFormat
from voiceflow.frames import AudioRaw, LLMEnd, LLMText, Mark, SpeechStarted, SpeechStopped, Transcript
from voiceflow.linking.linker import link
from voiceflow.linking.plan import Plan
from voiceflow.pipeline import Parallel, Pipeline
from voiceflow.processor import Processor
from voiceflow.transports.wav import WavSink, WavSource

SVG = "{http://www.w3.org/2000/svg}"


class Vad(Processor):
    def process(self, frame: AudioRaw) -> Iterator[AudioRaw | SpeechStarted | SpeechStopped]:
        yield frame


class Stt(Processor):
    async def process(self, frame: AudioRaw) -> AsyncIterator[Transcript]:
        yield Transcript("")


class Model(Processor):
    async def process(self, frame: Transcript) -> AsyncIterator[LLMText | LLMEnd]:
        yield LLMEnd()


class Tts(Processor):
    produces = AudioFormat("pcm16", 22_050)

    async def process(self, frame: LLMText | LLMEnd) -> AsyncIterator[AudioRaw | Mark]:
        yield Mark()


class Meter(Processor):
    accepts = ANY

    def process(self, frame: AudioRaw) -> None:
        return None


class Slow(Processor):
    accepts = produces = ANY

    async def process(self, frame: AudioRaw) -> AudioRaw:
        return frame


def plan(*processors: Processor, rate: int = 8_000) -> Plan:
    source = WavSource(AudioRaw(b"", AudioFormat("pcm16", rate)))
    return link(Pipeline(source, *processors, WavSink(source)))


def test_text_draws_steps_tasks_formats_codecs_and_sides() -> None:
    assert draw.text(plan(Vad(), Stt(), Model(), Tts())) == (
        """\
╒══ listening side ═══════════════════════════════
●  WavSource   task 1
│  pcm16 8000 Hz, DTMF
○  Convert     in task 1 · codec: 8000 to 16000 Hz
│  pcm16 16000 Hz, DTMF
○  Vad         in task 1
│  pcm16 16000 Hz, SpeechStarted, SpeechStopped
●  Stt         task 2
│  Transcript
╞══ speech side ══════════════════════════════════
●  Model       task 3 · speaker
│  LLMText, LLMEnd
●  Tts         task 4
│  pcm16 22050 Hz, Mark
○  Convert     in task 4 · codec: 22050 to 8000 Hz
│  pcm16 8000 Hz, Mark
○  WavSink     in task 4

8 steps in 4 tasks, 2 codec stages inserted
● has a task of its own   ○ is fused into the task above it
"""
    )


def test_text_of_an_echo_names_the_source_as_the_speaker() -> None:
    assert draw.text(plan()) == (
        """\
╒══ speech side ═══════════════
●  WavSource   task 1 · speaker
│  pcm16 8000 Hz, DTMF
○  WavSink     in task 1

2 steps in 1 task
● has a task of its own   ○ is fused into the task above it
"""
    )


def test_text_draws_branches_side_by_side() -> None:
    assert draw.text(plan(Parallel(Slow() | Slow(), Pipeline(), Meter()))) == (
        """\
╒══ speech side ═══════════════════════════════════
●  WavSource   task 1 · speaker
├────────────────────────┬───╮
│  pcm16 8000 Hz, DTMF   │   │  pcm16 8000 Hz, DTMF
●  Slow   task 2         │   ○  Meter   in task 1
│  pcm16 8000 Hz         │   │
●  Slow   task 3         │   │
├────────────────────────┴───╯
│  pcm16 8000 Hz, DTMF
○  WavSink     in tasks 1, 3

5 steps in 3 tasks
● has a task of its own   ○ is fused into the task above it
"""
    )


def test_text_shows_a_speaker_within_a_branch() -> None:
    lines = draw.text(plan(Parallel(Vad() | Stt() | Model() | Tts(), Meter()))).splitlines()
    assert lines[0].startswith("╒══ listening side ═")
    assert [line[:15] for line in lines if "speech side" in line] == ["╞══ speech side"]
    assert any("Model" in line and "task 3 · speaker" in line for line in lines)


def test_mermaid_is_a_flowchart_of_two_sides() -> None:
    assert draw.mermaid(plan(Vad(), Stt(), Model(), Tts(), rate=16_000)) == (
        """\
flowchart TD
  subgraph listening["listening side"]
    n1(["WavSource<br/>task 1"])
    n2["Vad<br/>in task 1"]
    n3(["Stt<br/>task 2"])
  end
  subgraph speech["speech side"]
    n4(["Model<br/>task 3 · speaker"])
    n5(["Tts<br/>task 4"])
    n6{{"Convert<br/>in task 4 · codec: 22050 to 16000 Hz"}}
    n7["WavSink<br/>in task 4"]
  end
  n1 -->|"pcm16 16000 Hz, DTMF"| n2
  n2 -->|"pcm16 16000 Hz, SpeechStarted, SpeechStopped"| n3
  n3 -->|"Transcript"| n4
  n4 -->|"LLMText, LLMEnd"| n5
  n5 -->|"pcm16 22050 Hz, Mark"| n6
  n6 -->|"pcm16 16000 Hz, Mark"| n7
"""
    )


def test_mermaid_joins_branches_before_what_follows() -> None:
    drawn = draw.mermaid(plan(Parallel(Slow() | Slow(), Pipeline(), Meter()))).splitlines()
    assert drawn[-8:] == [
        '  n1 -->|"pcm16 8000 Hz, DTMF"| n2',
        '  n2 -->|"pcm16 8000 Hz"| n3',
        '  n1 -->|"pcm16 8000 Hz, DTMF"| n4',
        "  n5j(( ))",
        "  n3 --- n5j",
        "  n1 --- n5j",
        "  n4 --- n5j",
        '  n5j -->|"pcm16 8000 Hz, DTMF"| n5',
    ]


def boxes(document: str) -> list[tuple[float, float, float, float]]:
    """Left, top, right and bottom of each step's box: all rectangles but the legend's."""
    rects = [r for r in ET.fromstring(document).iter(f"{SVG}rect") if r.get("width") != "16"]
    found = [[float(r.get(name, "")) for name in ("x", "y", "width", "height")] for r in rects]
    return [(x, y, x + width, y + height) for x, y, width, height in found]


def test_svg_is_self_contained_and_names_every_step() -> None:
    document = draw.svg(plan(Vad(), Stt(), Model(), Tts()))
    words = [text.text for text in ET.fromstring(document).iter(f"{SVG}text")]
    for name in ("WavSource", "Vad", "Stt", "Model", "Tts", "WavSink", "pcm16 22050 Hz, Mark", "task 3 · speaker"):
        assert name in words
    assert words.count("Convert") == 2
    assert "prefers-color-scheme: dark" in document
    assert document.count("http") == 1  # the namespace


@pytest.mark.parametrize(
    "branches",
    [
        [Vad],
        [Vad, Meter],
        [lambda: Slow() | Slow(), Pipeline, Meter],
        [lambda: Slow() | Parallel(Vad() | Slow(), Pipeline(), Meter()), lambda: Slow() | Slow() | Slow() | Vad()],
    ],
)
def test_svg_boxes_never_overlap_and_stay_within_the_page(branches: list[type[Processor]]) -> None:
    document = draw.svg(plan(Slow(), Parallel(*(branch() for branch in branches)), Slow()))
    _, _, width, height = map(float, ET.fromstring(document).get("viewBox", "").split())
    found = boxes(document)
    for place, (left, top, right, bottom) in enumerate(found):
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
        for left2, top2, right2, bottom2 in found[:place]:
            assert left >= right2 or left2 >= right or top >= bottom2 or top2 >= bottom


def test_names_are_escaped() -> None:
    class Odd(Slow):
        @property
        def name(self) -> str:
            return '<b> & "q"'

    drawn = plan(Odd(), rate=16_000)
    assert '<b> & "q"' in draw.text(drawn)
    assert '(["&lt;b&gt; &amp; #quot;q#quot;<br/>task 2"])' in draw.mermaid(drawn)
    assert '<b> & "q"' in [text.text for text in ET.fromstring(draw.svg(drawn)).iter(f"{SVG}text")]


def test_processors_that_are_not_hashable_are_drawn() -> None:
    @dataclasses.dataclass
    class Gain(Processor):
        gain: float

        def process(self, frame: AudioRaw) -> AudioRaw:
            return frame

    drawn = plan(Parallel(Gain(1), Gain(1)), rate=CANONICAL.rate)
    for picture in (draw.text, draw.mermaid, draw.svg):
        assert picture(drawn).count("Gain") == 2
