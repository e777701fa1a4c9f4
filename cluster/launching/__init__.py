"""A study on somebody else's machines: files for Slurm, KubeRay, SkyPilot and plain machines.

What is printed is complete, holds no secret, and is submitted by the user with the tool it is for.
"""
