"""Probes asked, answers scored, tables made."""
