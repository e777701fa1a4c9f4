"""Stores: one contract for all, and what each refuses."""
