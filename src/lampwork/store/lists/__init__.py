"""What is shown: pages of jobs (`queries`, `job_filter`), counts (`operations`), `changes`."""
