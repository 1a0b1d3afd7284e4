"""Keeping the state: tables brought up to date, backups, and what is deleted.

`migration`, `backup` and `restore`; `pruning` deletes what ended long ago, `erasing` a person.
"""
