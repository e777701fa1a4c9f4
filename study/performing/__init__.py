"""What is computed and published: a stage on a worker, a relearning at a service, a model tried before a run.

``perform`` is the whole of a stage, ``residents`` what a worker keeps between two, ``stage_work`` what is asked of it
and told by it, ``provenance`` what is written down of where it ran. It knows the store's Protocol and no scheduler.
"""
