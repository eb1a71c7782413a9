"""A plan as a Mermaid flowchart, which Markdown pages draw."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from voiceflow.linking.plan import Plan

from .nodes import LISTENING, SPEECH, Node, Row, nodes, read


def mermaid(plan: Plan) -> str:
    """The plan as a Mermaid flowchart."""
    row = read(plan)
    lines = ["flowchart TD"]
    for side in (LISTENING, SPEECH):
        inside = [f"    {_node(node)}" for node in nodes(row) if node.side == side]
        if inside:
            lines += [f'  subgraph {side.split()[0]}["{side}"]', *inside, "  end"]
    for above, node in _edges(row):
        ends = [end.id for end in above]
        if len(ends) > 1:  # the branches meet before they are labelled
            lines.append(f"  {node.id}j(( ))")
            lines += [f"  {end} --- {node.id}j" for end in ends]
            ends = [f"{node.id}j"]
        label = f'|"{_words(node.arrives)}"|' if node.arrives else ""
        lines += [f"  {end} -->{label} {node.id}" for end in ends]
    return "\n".join(lines) + "\n"


def _node(node: Node) -> str:
    words = f'"{_words(node.name)}<br/>{_words(node.note)}"'
    if node.step.inserted:
        return f"{node.id}{{{{{words}}}}}"
    return f"{node.id}[{words}]" if node.step.fused else f"{node.id}([{words}])"


def _words(words: str) -> str:
    return escape(words, quote=False).replace('"', "#quot;")


def _edges(row: Row, above: Sequence[Node] = ()) -> Iterator[tuple[Sequence[Node], Node]]:
    """Every node of a row, with the nodes directly above it."""
    for part in row:
        if isinstance(part, Node):
            yield above, part
        else:
            for branch in part.rows:
                yield from _edges(branch, above)
        above = _ends((part,), above)


def _ends(row: Row, above: Sequence[Node]) -> Sequence[Node]:
    """The lower ends of a row; an empty one hands on what is above."""
    for part in row:
        if isinstance(part, Node):
            above = [part]
        else:
            above = list({end.id: end for branch in part.rows for end in _ends(branch, above)}.values())
    return above
