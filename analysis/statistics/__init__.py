"""Intervals and models that know nothing of studies: arrays and frames in, estimates out."""
