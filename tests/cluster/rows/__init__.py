"""Rows: recorded, judged, scored again."""
