"""One study, from the command to its last row: preflight, plan summary, rounds, Tune run, progress, interruption.

The driver keeps accounts and decides nothing about numbers: killed at any moment, it leaves a study that resumes.
"""
