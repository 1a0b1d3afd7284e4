"""Jobs, from being asked for to their end. Every function runs inside one transaction.

Asked for (`requests`), written down (`new_jobs`), in line (`queued`, `queues`, `limits`). What is
meant to happen to one (`wanted`, `cancelled`, `kept`), what its runs find (`jobs`, `calls`), what
it waits for (`inbox`, `cycles`), how it ends (`endings`). `copies` and `unfinished` read it.
"""
