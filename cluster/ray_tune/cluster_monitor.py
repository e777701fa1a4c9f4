"""Notices that the cluster is gone: its head, or every worker.

Tune waits for ever for resources that do not come back, and Ray ends the whole process, without a message of ours, a
minute after its head fell silent. So another thread looks, and reports the loss before Ray does.
"""

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from cluster.background_thread import background
from cluster.ray_tune.session import LEFT_OUT, slots_alive
from study.settings.execution import Resources

LOOK_EVERY_SECONDS = 1.0
SILENCE_SECONDS = 15.0
"""After so long without a head it counts as lost; well before Ray itself gives up."""


@contextmanager
def watched_cluster(
    needs: Sequence[Resources],
    patience_seconds: float,
    set_slots: Callable[[int], None],
    lost: Callable[[str, bool], None],
) -> Iterator[None]:
    """Watches the connected cluster while the block runs.

    Args:
        needs: what each kind of stage needs.
        patience_seconds: without room for any of them, after which the cluster counts as lost.
        set_slots: called in another thread with how many stages the cluster has room for now; nodes come and go.
        lost: called once, in another thread, with words and whether the head is gone.
    """
    import ray

    head = str(ray.get_runtime_context().gcs_address)

    def look(ended: threading.Event) -> None:
        heard = had_room = time.monotonic()
        while not ended.wait(LOOK_EVERY_SECONDS):
            now = time.monotonic()
            if not _listens(head):
                if now - heard > SILENCE_SECONDS:
                    lost(f"the head of the Ray cluster at {head} is silent for {now - heard:.0f} s", True)
                    return
                continue
            heard = now
            slots = slots_alive(needs)
            set_slots(slots)
            if LEFT_OUT and any(each.gpus and not slots_alive([each]) for each in needs):
                lost(f"every node with room for a stage is left out: {'; '.join(LEFT_OUT.values())}", False)
                return
            if slots:
                had_room = now
            elif now - had_room > patience_seconds:
                lost(
                    f"for {now - had_room:.0f} s no node of the Ray cluster at {head} has room for a stage "
                    f"(execution.patience_seconds={patience_seconds:g})",
                    False,
                )
                return

    with background(look, patience_seconds=2 * LOOK_EVERY_SECONDS):
        yield


def _listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=LOOK_EVERY_SECONDS).close()
    except OSError:
        return False
    return True
