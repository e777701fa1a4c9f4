"""Texts: what is learned and asked, and the words of any script: how they are compared, counted and replaced.

Nothing here knows a tokenizer or a model.
"""
