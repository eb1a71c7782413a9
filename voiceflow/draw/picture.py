"""A plan as SVG: boxes in rows, branches beside each other, on light and dark pages."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from voiceflow.linking.plan import Plan

from .nodes import LISTENING, SPEECH, Fan, Node, Row, read

# In pixels: the height of a box, the gap between two boxes, the height in which a line changes its column, the margin.
_BOX, _GAP, _BEND, _MARGIN = 52, 52, 28, 24
_STYLE = """
svg { --ink: #1c2733; --dim: #56677a; --paper: #ffffff; --listening: #2a6cc4; --speech: #b3540c }
@media (prefers-color-scheme: dark) {
  svg { --ink: #e8eef4; --dim: #9db0c2; --paper: #14191f; --listening: #74aef5; --speech: #f0a35e }
}
text { font: 12px ui-sans-serif, system-ui, sans-serif; fill: var(--dim); text-anchor: middle }
.name { font-size: 15px; font-weight: 600; fill: var(--ink) }
.label { stroke: var(--paper); stroke-width: 8; paint-order: stroke }
.legend { text-anchor: start }
.paper, rect { fill: var(--paper) }
rect { stroke-width: 1.5 }
.fused { stroke-dasharray: 5 4 }
.speaker { stroke-width: 4 }
.listening { stroke: var(--listening) }
.speech { stroke: var(--speech) }
.edge { fill: none; stroke: var(--dim); stroke-width: 1.5 }
marker path { fill: var(--dim) }
"""
_TIP = (
    '<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
    '<path d="M0 0L8 4L0 8z"/></marker>'
)
_LEGEND = (
    ("listening", LISTENING),
    ("speech", SPEECH),
    ("speech speaker", "speaker"),
    ("fused speech", "fused"),
)

_Point = tuple[float, float]


def svg(plan: Plan) -> str:
    """The plan as a self-contained SVG, for light and dark pages."""
    row = read(plan)
    width, height = _size(row)
    width, height = max(width, 120 * len(_LEGEND)) + 2 * _MARGIN, height + 2 * _MARGIN + 40
    lines: list[str] = []
    _row(row, width / 2, _MARGIN, [], lines)
    for place, (classes, words) in enumerate(_LEGEND):
        x, y = _MARGIN + 120 * place, height - 30
        lines.append(f'<rect class="{classes}" x="{x}" y="{y}" width="16" height="12" rx="3"/>')
        lines.append(f'<text class="legend" x="{x + 22}" y="{y + 10}">{words}</text>')
    box = f'width="{width:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {box}>',
            f"<style>{_STYLE}</style>",
            '<path class="paper" d="M0 0h9999v9999h-9999z"/>',
            _TIP,
            *lines,
            "</svg>\n",
        ]
    )


def _size(part: Row | Node | Fan) -> _Point:
    """Width and height in pixels, without the line that leads to it."""
    if isinstance(part, Node):
        return 36 + max(9.6 * len(part.name), 6.4 * len(part.note), 6.4 * len(part.arrives)), _BOX
    inner = [_size(p) for p in (part.rows if isinstance(part, Fan) else part)]
    widths, heights = zip(*inner, strict=True) if inner else ((_GAP,), (0,))
    if isinstance(part, Fan):
        return sum(widths), max(heights) + 2 * _BEND
    return max(widths), sum(heights) + _GAP * (len(heights) - 1)


def _row(row: Row, x: float, y: float, above: list[_Point], lines: list[str]) -> list[_Point]:
    """Draw `row` centred on `x`, from `y` down, and the edges from `above`; returns its lower ends."""
    if not row:  # a branch that only passes on
        lines += [_edge(end, (x, y), tip="") for end in above]
        return [(x, y)]
    for part in row:
        width, height = _size(part)
        if isinstance(part, Node):
            lines += [_edge(end, (x, y)) for end in above]
            lines += _node(part, x, y, width)
            above = [(x, y + height)]
        else:
            above = _fan(part, x - width / 2, y, above, lines)
        y += height + _GAP
    return above


def _fan(fan: Fan, left: float, y: float, above: list[_Point], lines: list[str]) -> list[_Point]:
    bottom = y + _size(fan)[1] - _BEND
    below = []
    for row in fan.rows:
        width, _ = _size(row)
        for end in _row(row, left + width / 2, y + _BEND, above, lines):
            lines.append(_edge(end, (end[0], bottom), tip=""))
            below.append((end[0], bottom))
        left += width
    return below


def _node(node: Node, x: float, y: float, width: float) -> Iterator[str]:
    classes = [node.side.split()[0], *["fused"] * node.step.fused, *["speaker"] * node.step.speaker]
    if node.arrives:
        yield f'<text class="label" x="{x:.1f}" y="{y - 20}">{escape(node.arrives)}</text>'
    yield (
        f'<rect class="{" ".join(classes)}" x="{x - width / 2 + 8:.1f}" y="{y}" width="{width - 16:.1f}" '
        f'height="{_BOX}" rx="8"/>'
    )
    yield f'<text class="name" x="{x:.1f}" y="{y + 23}">{escape(node.name)}</text>'
    yield f'<text x="{x:.1f}" y="{y + 41}">{escape(node.note)}</text>'


def _edge(start: _Point, end: _Point, tip: str = ' marker-end="url(#tip)"') -> str:
    (x1, y1), (x2, y2) = start, end
    middle = y1 + _BEND * 0.6
    curve = f"M{x1:.1f} {y1:.1f}C{x1:.1f} {middle:.1f} {x2:.1f} {middle:.1f} {x2:.1f} {y1 + _BEND * 1.2:.1f}"
    return f'<path class="edge" d="{curve if x1 != x2 else f"M{x1:.1f} {y1:.1f}"}V{y2:.1f}"{tip}/>'
