"""How a job looks: as a tree of lines, in one picture, and live while it is waited for."""
