"""Artifacts: how they are addressed and recorded, and files that are written whole or not at all."""
