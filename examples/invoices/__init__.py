"""The invoice story: a clerk that approves, asks for documents, or flags."""
