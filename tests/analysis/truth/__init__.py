"""What is true of a study, from its Parquet alone: a second program, which shares nothing with ``analysis``."""
