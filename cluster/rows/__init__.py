"""Rows written from artifacts as stages end, scored again from their completions, and judged.

Each cell's rows stand in one file and appear whole, once. Scoring again needs no model of the study's.
"""
