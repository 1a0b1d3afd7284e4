"""Who uses the server: `accounts`, `sessions`, `api_keys`; what was changed, by whom: `audit`."""
