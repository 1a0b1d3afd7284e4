"""When jobs start by themselves: `triggers` and their items; `firings`, and what became of them."""
