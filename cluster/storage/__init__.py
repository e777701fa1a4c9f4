"""Where artifacts are kept: stores behind one Protocol, retries of storage that fails, and full disks.

An artifact is complete once its record is there, the record is written last, and the first of two writers wins. Only
a state, from which an unfinished stage resumes, is ever deleted.
"""
