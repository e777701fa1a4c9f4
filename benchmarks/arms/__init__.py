"""The arms: four ways to compute the same cells, each a program of its own that reads one file saying what to do."""
