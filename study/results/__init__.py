"""The rows: one declared schema, how they are written and read, and the compacted cells. All that analysis imports."""
