"""One run of a job: its calls, what is recorded of them, what it waits for, and its end."""
