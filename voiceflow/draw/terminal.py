"""A plan as text: one step below the other, connected in the first column of each branch."""

from __future__ import annotations

from voiceflow.linking.plan import Plan

from .nodes import SPEECH, Fan, Node, Row, nodes, read

_LEGEND = "● has a task of its own   ○ is fused into the task above it"


def text(plan: Plan) -> str:
    """The plan for a terminal: one step below the other, branches beside each other."""
    steps = list(plan.walk())
    codecs = sum(step.inserted for step in steps)
    counts = f"{_count(len(steps), 'step')} in {_count(plan.tasks, 'task')}"
    if codecs:
        counts += f", {_count(codecs, 'codec stage')} inserted"
    return "\n".join([*_row(read(plan), ""), "", counts, _LEGEND, ""])


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _row(row: Row, side: str) -> list[str]:
    """The lines of a row, whose connector is the first column; `side` is the side above it."""
    width = max((len(part.name) for part in row if isinstance(part, Node)), default=0)
    lines: list[str] = []
    rules: dict[int, str] = {}
    for part in row:
        if isinstance(part, Fan):
            lines += _fan(part, side)
            side = SPEECH if any(node.side == SPEECH for node in nodes((part,))) else side
            continue
        if part.arrives:
            lines.append(f"│  {part.arrives}")
        if part.side != side:
            side = part.side
            rules[len(lines)] = f"{'╞' if lines else '╒'}══ {side} "
            lines.append("")
        lines.append(f"{'○' if part.step.fused else '●'}  {part.name:{width}}   {part.note}")
    longest = max([*map(len, lines), *map(len, rules.values())], default=0)
    for place, rule in rules.items():
        lines[place] = rule.ljust(longest, "═")
    return lines or ["│"]


def _fan(fan: Fan, side: str) -> list[str]:
    blocks = [_row(row, side) for row in fan.rows]
    height = max(map(len, blocks))
    blocks = [block + ["│"] * (height - len(block)) for block in blocks]
    widths = [max(map(len, block)) + 3 for block in blocks[:-1]]
    beside = [
        "".join([*(line.ljust(w) for line, w in zip(lines, widths, strict=False)), lines[-1]])
        for lines in zip(*blocks, strict=True)
    ]
    return [_rail(widths, "┬", "╮"), *beside, _rail(widths, "┴", "╯")]


def _rail(widths: list[int], middle: str, last: str) -> str:
    """The line that parts or joins columns of these widths; the last column needs none."""
    marks = ["├", *[middle] * (len(widths) - 1), last] if widths else ["│"]
    return "".join(mark.ljust(width, "─") for mark, width in zip(marks, [*widths, 1], strict=True))
