"""Small worlds that the project invents, so that every experiment runs in seconds without any download."""
