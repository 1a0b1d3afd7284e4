"""The HTTP server: the API of a project, over its read model and its door."""
