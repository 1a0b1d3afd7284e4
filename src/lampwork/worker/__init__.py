"""The executing process, a room per concern: jobs start, run and end, are parked and woken.

`admission` says which jobs start when, `execution` is a run from its start to its job's end,
`parking` lets go of jobs that only wait, `waking` runs those again that were answered or have lost
their run, `expiry` looks at the clock for them. `recovery` makes good for what a crash left, and
`presence` tells processes from each other, `tracing` makes spans of jobs that have ended. `worker`
is what they share, and how it stops.
"""

from lampwork.worker.worker import Worker

__all__ = ["Worker"]
