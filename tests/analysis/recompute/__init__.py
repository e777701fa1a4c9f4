"""The statistics once more, from Parquet alone: written from docs/STATISTICS.md, without code of ``analysis``."""
