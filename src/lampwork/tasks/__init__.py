"""The life of a task: assigned, opened, worked on turn by turn, answered."""
