"""What a user sets: the parts of a spec. All of it bears identity, but for the execution."""
