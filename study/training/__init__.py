"""The one training loop: data order, batches, encoding, optimiser state. Objectives differ, the loop does not."""
