"""Asking a model: the greedy continuation of each prompt, and how likely each target is. All that needs the model."""
