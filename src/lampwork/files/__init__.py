"""Files that are given to tasks: taken as they are now, and read in a confined process.

`file.py` is what a user gives, `snapshot.py` what is kept of it, `reading.py` starts the process
that reads it, `reader.py` is that process, `sandbox.py` what it may not do, `readers/` what it
reads. `taking.py` leads from the first to the second.
"""
