"""Adaptive searches: which points to ask next, for the 50% contour or for the Pareto-optimal attacks."""
