"""Rows made from artifacts: recorded as stages end, made again from the store, scored again, judged."""
