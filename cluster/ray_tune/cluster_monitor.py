"""Notices that the cluster is gone: its head, or every worker.

Tune waits for ever for resources that do not come back, and Ray ends the whole process, without a word of
ours, a minute after its head fell silent. So another thread looks, and has the last word first.
"""

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from cluster.background_thread import background
from cluster.ray_tune.session import room
from study.settings.execution import Resources

LOOK_EVERY_SECONDS = 1.0
SILENCE_SECONDS = 15.0
"""After so long without a head it counts as lost; well before Ray itself gives up."""


@contextmanager
def lifeline(
    asked: Sequence[Resources],
    patience: float,
    has_room: Callable[[int], None],
    lost: Callable[[str, bool], None],
) -> Iterator[None]:
    """Watches the connected cluster while the block runs.

    Args:
        asked: what each kind of stage asks for.
        patience: seconds without room for any of them after which the cluster counts as lost.
        has_room: called in another thread with how many stages the cluster has room for now; nodes come and go.
        lost: called once, in another thread, with words and whether the head is gone.
    """
    import ray

    head = str(ray.get_runtime_context().gcs_address)

    def look(ended: threading.Event) -> None:
        heard = worked = time.monotonic()
        while not ended.wait(LOOK_EVERY_SECONDS):
            now = time.monotonic()
            if not _listens(head):
                if now - heard > SILENCE_SECONDS:
                    lost(f"the head of the Ray cluster at {head} is silent for {now - heard:.0f} s", True)
                    return
                continue
            heard = now
            stages = room(asked)
            has_room(stages)
            if stages:
                worked = now
            elif now - worked > patience:
                lost(
                    f"for {now - worked:.0f} s no node of the Ray cluster at {head} has room for a stage "
                    f"(execution.patience={patience:g})",
                    False,
                )
                return

    with background(look, patience=2 * LOOK_EVERY_SECONDS):
        yield


def _listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=LOOK_EVERY_SECONDS).close()
    except OSError:
        return False
    return True
