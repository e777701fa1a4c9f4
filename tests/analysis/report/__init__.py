"""The report, its pictures and what is on record."""
