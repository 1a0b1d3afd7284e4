"""Jobs and code that changes under them.

`upgrade` says which unfinished jobs go on with the code as it is now, by a `rehearsal` of each.
Which files the code is say `sources`, with copies from which `code_of_then` is loaded again;
`kept` are jobs that stay on it.
"""
