"""How often the intervals hold the truth and the tests err: simulated studies in which the truth is known.

    python -m benchmarks.coverage [BATCHES]

Each line of docs/performance/coverage.csv is a batch of studies of one size. A line that is there is not computed
again, so a run that was stopped goes on where it was, and a greater BATCHES adds to what is there. At the end, and with
BATCHES 0 at once, the tables of docs/SIMULATIONS.md are written from all lines.
"""
