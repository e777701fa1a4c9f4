"""Drivers, workers and commands: killed, told to end, at once."""
