"""The searches beside samplers of libraries, random choice and a thinner grid, replayed on computed grids."""
