"""Asking a checkpoint: generating answers (needs the model), and scoring texts (needs nothing)."""
