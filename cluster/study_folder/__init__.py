"""A study's folder: its spec and provenance, the driver's lease, events, failures, stop requests, a search's record.

Everything in it is data for a person or for pandas: JSON and Parquet, no code and no secret.
"""
