"""All that knows the API of Ray: session, node checks, searcher, scheduler, lost trials, the state of the cluster.

Tune's checkpoints and ``Tuner.restore`` are deliberately not used, and no pickle of Ray's is read.
"""
