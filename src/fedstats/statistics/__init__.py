"""Statistics: one file is one kind of question."""
