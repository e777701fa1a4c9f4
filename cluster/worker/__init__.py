"""One stage on one Ray worker: the Tune actor, its attempts, and the watchdog that ends it.

A worker publishes to the store and reports one text; it keeps a model in memory and nothing else between stages.
"""
