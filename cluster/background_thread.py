"""Work in a thread of its own, for as long as a block runs."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def background(
    work: Callable[[threading.Event], None], patience_seconds: float | None = None
) -> Iterator[None]:
    """Runs ``work`` beside the block.

    Args:
        work: gets an event that is set when the block has ended, and returns soon after.
        patience_seconds: to wait for it at the end; None waits as long as it takes.
    """
    ended = threading.Event()
    thread = threading.Thread(target=work, args=(ended,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(patience_seconds)
