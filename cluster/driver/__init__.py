"""One study, from the command to its last row: preflight, plan summary, rounds, Tune run, progress, interruption."""
