"""The routes of the API, one file per noun: each parses, calls one function, and returns."""
