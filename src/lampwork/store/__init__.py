"""Our tables, and the only SQL. A file per concept, of functions that run in one transaction each.

The database: `store` has one writer and many readers; `database` is what it needs of `sqlite` or
of `postgres` (`server_time`); `schema`, `migrations`; `condition`, `snapshot` for its keeper.

A job: asked for (`requests`), written down (`new_jobs`), in line (`queued`, `queues`, `limits`).
What is meant to happen to it (`wanted`, `cancelled`, `kept`), what its runs find (`jobs`, `calls`),
what it waits for (`inbox`, `cycles`), how it ends (`endings`). `copies`, `unfinished` read it.

A task: opened (`openings`, `continued`), found by its runs (`claims`), below others (`lineage`,
`delegated`), written (`conversations`, `briefings`, `artifacts`, `files`), ended (`tasks`,
`by_hand`). What it needs to go on: `places`, `pauses`, `rates`, `budgets`, `reservations`.

Who uses it from outside: `accounts`, `sessions`, `api_keys`; what they have changed: `audit`.

Many processes: `executors`, `share`, `leases`, `news`. When jobs start: `triggers`, `firings`. What
is shown: `queries` (`job_filter`), `operations`, `changes`. Large values: `blobs`. What goes, and
what stays of it: `prune`, `erase`, `quiet`, `remains`, `keys`; `restorations`.
"""
