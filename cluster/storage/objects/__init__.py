"""A store in object storage (S3, Google Cloud Storage, Azure Blob Storage) over fsspec.

The bytes go first, under their attempt; the record is created exclusively and last. Whoever did not hear a clear
success reads the record back: the attempt in it says whose it is. Nothing but a bucket is shared by the nodes.
"""
