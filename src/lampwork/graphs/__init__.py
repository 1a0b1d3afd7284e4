"""What a recipe may do, drawn from its source; nothing is run."""

from lampwork.graphs.graphs import Graphs

__all__ = ["Graphs"]
