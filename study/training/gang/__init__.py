"""A gang: several processes on one node that train one model together, cut into shards (FSDP2).

::

    Residents ──▶ Gang (rank 0, in the worker) ──Order──▶ members (ranks 1 … n-1, processes of their own)
                    │                                        │
                    └────────────── train(…) ────────────────┘   the same loop, in step
                                      │
                                 ShardedModel ◀─ weights of rank 0's plain model, states from the store
                                      │
                                 at a stop: ─▶ rank 0's plain model ─▶ evaluated and published as ever

Rank 0 alone has the store and the plain model; the others hear of a trajectory (an ``Order``) and take the same steps.
What is stored is whole, so that a trajectory that was cut off goes on with any number of processes.

**The bits are those of one process** that cuts its batches in the same way, which is execution (``micro_batch``):
the batch is cut into pieces, piece i is rank i mod n's, and gradients are summed in the order of the pieces
(``OrderedSum``). The norm that clips is that of whole gradients. A model with dropout draws other masks on other ranks,
as it does for another ``micro_batch``.

A member ends when its connection to rank 0 ends, however that came about; rank 0's process ends where a member is gone
and no error says so. There is no recovery within an attempt: the stage is tried again, from its last state.
"""
