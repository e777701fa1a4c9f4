"""A study's rows in other people's formats: one CSV or Parquet file each, or a netCDF cube over the axes."""
