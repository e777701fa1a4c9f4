"""One stage on one Ray worker: the Tune actor, its attempts, and the watchdog that ends it."""
