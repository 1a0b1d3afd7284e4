"""A table that grows line by line, in Markdown, so that a page can take it as it is."""

from __future__ import annotations


class Table:
    """Its first column holds names, the others figures."""

    def __init__(self, name: str, *figures: str, width: int = 30) -> None:
        self._widths = [width, *(max(len(figure), 7) for figure in figures)]
        self.row(name, *figures)
        self.row("-" * width, *("-" * (each - 1) + ":" for each in self._widths[1:]))

    def row(self, name: str, *figures: str) -> None:
        first, *others = self._widths
        cells = [each.rjust(width) for each, width in zip(figures, others, strict=True)]
        print(f"| {' | '.join([name.ljust(first), *cells])} |", flush=True)
