"""What scenarios write, and what tokenizers make of it."""
