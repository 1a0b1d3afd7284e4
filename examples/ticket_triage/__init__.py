"""The ticket story: tickets come by webhook, and a P1 pages who is on call."""
