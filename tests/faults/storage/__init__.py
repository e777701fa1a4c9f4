"""Storage: a disk or a bucket that fails, refuses, is full or damaged."""
