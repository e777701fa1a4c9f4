"""The words of docs/, held against the committed cells: each test computes numbers and looks for the sentence."""
