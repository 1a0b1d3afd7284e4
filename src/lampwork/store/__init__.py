"""Our tables, and the only SQL. A file per concept, of functions that run in one transaction each.

The database: `store` has one writer and many readers; `database` is what it needs of `sqlite` or
of `postgres` (`server_time`); `schema`, `migrations`; large values in `blobs`.

The rooms, each with a map of its own: `jobs`, `tasks` and what these spend (`spending`),
`triggers`, `people`, `processes`, what is shown of all this (`lists`), and `upkeep`.
"""
