"""One module per kind of file. They run in the reader's process only: the files are hostile."""
