"""What is shown: pages of jobs and conversations (`queries`, `job_filter`, `conversation_filter`,
`newest`), how jobs ended (`outcomes`), counts (`operations`), and what has changed (`changes`)."""
