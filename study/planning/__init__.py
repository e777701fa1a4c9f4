"""A spec becomes a plan: the tree of unique stages, which cell is read off where, and what it will cost."""
