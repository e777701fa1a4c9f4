"""A spec: written, read again, refused."""
