"""What tasks may spend, and how fast: `budgets`, `reservations` of a call in them, `rates`."""
