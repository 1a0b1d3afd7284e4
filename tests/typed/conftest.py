"""The bookshop is a user's project: it is tested where a user has it, beside an installed wheel."""

collect_ignore = ["bookshop"]
