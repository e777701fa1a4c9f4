"""The training loop, and each method's loss."""
