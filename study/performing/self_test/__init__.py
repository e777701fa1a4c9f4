"""A model tried before anything is spent: does relearn use it as transformers does?"""
