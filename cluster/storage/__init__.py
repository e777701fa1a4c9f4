"""Where artifacts are kept: stores behind one Protocol, retries of storage that fails, and full disks."""
