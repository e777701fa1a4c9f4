"""Beside plain Ray Tune on the same cells: ``python -m benchmarks`` runs the arms, and writes docs/PERFORMANCE.md."""
