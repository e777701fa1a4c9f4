"""Studies put on record: docs/RESULTS.md and its pictures, written from committed cells."""
