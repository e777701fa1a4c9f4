"""Where and when stages run: the store, the driver on Ray Tune, and the study's folder.

What a stage computes is ``study``'s; Ray is known only in ``ray_tune``, ``worker`` and ``driver.tune_run``. The store
is the truth: a study resumes by running what the store lacks, and nothing that Ray keeps is ever read again.
"""
