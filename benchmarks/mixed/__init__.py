"""A mixed load with the world around it, shared by `chaos` and `soak`.

`project` is the load and `expected` what must come of it; `worker` executes it, `people` do what
is waited for, `service` counts the effects; `ground` is the database, `faults` what befalls all of
them, `verdict` compares what was promised with what is on record.
"""
