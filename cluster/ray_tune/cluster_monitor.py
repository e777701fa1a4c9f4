"""Notices that the cluster is gone: its head, this machine's raylet, or every worker.

Tune waits for ever for resources that do not come back. Ray ends the whole process, without a word, a minute after its
head fell silent, and about ten seconds after the raylet through which the driver joined has ended. So another thread
looks, and reports the loss before Ray does.
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
REFUSALS = 2
"""After so many in a row the raylet counts as ended."""
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

    context = ray.get_runtime_context()
    head, raylet = str(context.gcs_address), _raylet(context.get_node_id())

    def look(ended: threading.Event) -> None:
        heard = had_room = time.monotonic()
        refused = 0
        while not ended.wait(LOOK_EVERY_SECONDS):
            now = time.monotonic()
            refused = refused + 1 if _is_refused(raylet) else 0
            if refused >= REFUSALS:
                lost(f"the raylet of this machine, at {raylet}, has ended", True)
                return
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


def _raylet(node_id: str) -> str:
    """The address of a node's raylet."""
    import ray

    (node,) = [node for node in ray.nodes() if node["NodeID"] == node_id]
    return f"{node['NodeManagerAddress']}:{node['NodeManagerPort']}"


def _listens(address: str) -> bool:
    try:
        _connect(address)
    except OSError:
        return False
    return True


def _is_refused(address: str) -> bool:
    """Whether no process listens there; one that does not answer in time does."""
    try:
        _connect(address)
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    return False


def _connect(address: str) -> None:
    host, _, port = address.rpartition(":")
    socket.create_connection((host, int(port)), timeout=LOOK_EVERY_SECONDS).close()
