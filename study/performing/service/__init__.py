"""Relearning through a fine-tuning API: a small Protocol, its client, and what a stage does with it. Without torch."""
