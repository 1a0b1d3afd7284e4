"""What code here reaches elsewhere over HTTP: `hosts` says which, `http` goes there."""
