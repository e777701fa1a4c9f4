"""LoRA: an adapter while it is trained, and what it adds to a model once it is there."""
