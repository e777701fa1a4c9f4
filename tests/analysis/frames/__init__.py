"""Rows as frames, and as files for others."""
