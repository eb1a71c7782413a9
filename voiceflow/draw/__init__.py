"""Pictures of a plan: what runs where, and which audio flows between.

Each function takes a linked `Plan` and returns a document: `text` for terminals, `mermaid` for Markdown,
`svg` for everything else.
"""

from .flowchart import mermaid
from .picture import svg
from .terminal import text

__all__ = ["mermaid", "svg", "text"]
