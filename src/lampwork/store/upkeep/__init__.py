"""What goes, what stays, and what is kept beside it.

Old trees of jobs (`prune`), old conversations (`quiet`), a person (`erase`): all delete bit by bit
(`remains`) and leave the keys of work done once (`keys`). Backups: `snapshot`, `restorations`. In
what state a folder is: `condition`.
"""
