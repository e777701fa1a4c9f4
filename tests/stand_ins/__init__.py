"""What stands in for machines and services: object storage, GPUs, Slurm, methods that misbehave.

And what a session of tests computes once.
"""
