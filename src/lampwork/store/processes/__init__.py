"""Many processes on one database: who is alive (`executors`, `session`), who executes what
(`share`), who does what one alone does (`leases`), and what they tell each other (`news`).
"""
