"""Where the weights of a model lie, and what its forward pass needs for it.

::

    Placement((card 0,))               the whole model on a card, or on the CPU
    Placement((card 0, …, card n-1))   spread: its layers dealt to n cards of one node, in their order
    Placement((card 0,), offload=True) its decoder layers in main memory, each on the card for its pass alone

One process computes in all three. Inputs go to the first card, and logits come back to it, so that losses, labels and
answers lie on one device and the code that makes them knows nothing of the others. A KV cache, an adapter and its
moments lie with their layer; a norm over all gradients, and whether all of them are finite, is collected on the first
card. The kernels and their order are those of one card, and so are the bits; only dropout draws other masks, as each
card has a generator of its own.

**Spread** is accelerate's: which layer goes where (``infer_auto_device_map``, with the modules that the model's class
says not to split), and the hooks that carry what a layer takes to its card (``dispatch_model``). It is for models that
are only evaluated and for adapters; all weights are trained by a gang (``study.training.gang``), whose cards compute
at the same time.

**Layers in main memory** are not accelerate's (``cpu_offload``): its hooks leave a parameter on the ``meta`` device
between its passes, where nothing can read, merge or write it and peft puts an adapter on the CPU. In training they
freed no copy before the backward pass (74 of 74 weights were held), and where activations are computed again, the pass
that autograd cuts short left the last ones on the device. Here a parameter stays where it is, and the layer computes
with a copy. In training activations are computed again (``activation_checkpointing``), and with them the copies: one
layer's at a time. All decoder layers lie in main memory, or none: how many would fit beside caches and activations is
not guessed.

Deliberately absent: layers on disk, more cards for a model whose layers lie in main memory, copies ahead of time.
"""
