"""What is checked on this machine before Ray starts: texts, models, precision, memory, and the first probe as asked.

Nothing here starts Ray or computes a stage. What fails ends with exit 3 and the setting that helps.
"""
