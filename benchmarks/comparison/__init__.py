"""The arms compared: which cells they compute, each run measured and read back, and the tables of what they took."""
