"""Evaluating a checkpoint: generating answers (needs the model), and scoring their texts (needs no model)."""
