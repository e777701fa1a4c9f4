"""`relearn verify`: is everything that was accepted still what it was, and do the rows follow from it?

Checked are, by their bytes, all artifacts of the store (also those of other studies over it) and the kept replies of
judges; by their pages and values, the rows, which are computed again from the artifacts and compared. Repair moves
what is wrong into a folder ``quarantine`` beside it, so that it counts as missing and the next run computes it again.
Nothing is deleted.
"""
