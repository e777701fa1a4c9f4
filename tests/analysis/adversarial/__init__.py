"""Studies made to mislead, what is true of them, and every sentence and verdict held against it."""
