"""Nodes: lost, drained, sick."""
