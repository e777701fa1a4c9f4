"""A study's folder: its spec and provenance, the driver's lease, events, failures, stop requests, a search's record."""
