"""A gang as rank 0 has it: its members are started once, and given one trajectory after the other."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from multiprocessing import Pipe
from pathlib import Path

import torch
from transformers import PreTrainedModel

from study.errors import GangError
from study.models.adapters.product import Product
from study.models.resident import Resident, without_weights
from study.planning.stages import Trajectory
from study.training.gang.group import meet, part
from study.training.gang.orders import MEMBER, Ended, Order, Place, Ready
from study.training.gang.sharded import Sharded
from study.training.loop import take_steps
from study.training.training_state import Progress, Resumption

LOOK_EVERY_SECONDS = 0.5
WORDS_SECONDS = 10.0
"""How long a member's last words are waited for, once this process has lost it."""
GRACE_SECONDS = 60.0
"""After a member has gone, for an error in this process to say so; a library that waits for ever is not waited for."""

CONNECTION_TYPES = ("DistBackendError", "DistNetworkError", "DistStoreError")
CONNECTION_WORDS = ("gloo", "Connection closed", "Connection reset", "NCCL")


class Gang:
    """The processes that train with this one, each with its shards of one model.

    Attributes:
        size: processes, this one included.
    """

    def __init__(self, resident: Resident, size: int) -> None:
        """Starts the members; returns when all have met.

        Args:
            resident: this process's; its device says what all compute on.

        Raises:
            GangError: a member could not begin.
        """
        self.size = size
        self.resident = resident
        self._members: list[_Member] = []
        self._folder = tempfile.TemporaryDirectory(prefix="gang-")
        try:
            on_gpu = resident.device.type != "cpu"
            places = [Place(resident.source, rank, size, on_gpu, self._folder.name) for rank in range(size)]
            self._members += [_Member(place) for place in places[1:]]
            for member in self._members:
                member.wait_until_ready()
            with self._together():
                self._mesh = meet(places[0])
            self._skeleton = without_weights(resident.model)
        except BaseException:
            self.end()
            raise

    def train(
        self,
        trajectory: Trajectory,
        last_step: int,
        stops: Collection[int],
        reached: Callable[[int, Progress, Product | None], None],
        micro_batch: int,
        resumption: Resumption,
        *,
        helper: Sequence[Path] | None = None,
        activation_checkpointing: bool = False,
        deterministic: bool = False,
    ) -> Progress:
        """As ``study.training.loop.train``, from the weights now in the resident; all members take part.

        After any error the gang has ended: its members are somewhere in the middle.

        Raises:
            GangError: a member is gone.
        """
        middle = resumption.middle
        order = Order(
            trajectory,
            last_step,
            frozenset(stops),
            micro_batch,
            activation_checkpointing,
            deterministic,
            torch.get_num_threads(),
            resumption.every,
            None
            if middle is None
            else (middle[0], {name: (tuple(each.shape), each.dtype) for name, each in middle[1].items()}),
        )
        with self._together():
            for member in self._members:
                member.tell(order)
            trained = Sharded(
                self.resident,
                self._skeleton,
                self._mesh,
                trajectory,
                helper=None if helper is None else _weights_of(self.resident.copy_of(*helper)),
                activation_checkpointing=activation_checkpointing,
            )
            return take_steps(
                trajectory, self.resident, trained, last_step, stops, reached, micro_batch, resumption
            )

    @property
    def ended(self) -> bool:
        """Whether it can train no more."""
        return not self._members or any(member.gone for member in self._members)

    def end(self) -> None:
        """Ends the members, whatever they do."""
        for member in self._members:
            member.end()
        self._members.clear()
        part()
        self._folder.cleanup()

    @contextlib.contextmanager
    def _together(self) -> Iterator[None]:
        over = threading.Event()
        thread = threading.Thread(target=self._look, args=(over,), daemon=True)
        thread.start()
        try:
            yield
        except BaseException as error:
            # What comes of a closed connection is the other's fault; our own errors end the others as well.
            lost = _cause([member.last_words() for member in self._members] if _of_connection(error) else [])
            self.end()
            if lost is not None:
                raise lost from error
            raise
        finally:
            over.set()
            thread.join()

    def _look(self, over: threading.Event) -> None:
        """Ends this process where a member has gone, and what waits for it does not notice."""
        while not over.wait(LOOK_EVERY_SECONDS):
            if any(member.gone for member in self._members):
                if not over.wait(GRACE_SECONDS):
                    os._exit(1)
                return


class _Member:
    def __init__(self, place: Place) -> None:
        self._rank = place.rank
        self._size = place.size
        self._connection, theirs = Pipe()
        ending, self._lifeline = os.pipe()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", MEMBER, str(theirs.fileno()), str(ending)],
                pass_fds=[theirs.fileno(), ending],
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # an interrupt of the terminal is rank 0's to hear
            )
        os.close(ending)
        self.tell(place)

    @property
    def gone(self) -> bool:
        """Whether its process has ended."""
        return self._process.poll() is not None

    def tell(self, what: Place | Order) -> None:
        """Sends it something; where it is gone, the next meeting says so."""
        with contextlib.suppress(OSError):
            self._connection.send(what)

    def wait_until_ready(self) -> None:
        """Returns when it has built its model.

        Raises:
            GangError: it ended instead; or the error that it ended with.
        """
        words: Ready | Ended | None = None
        with contextlib.suppress(EOFError, ConnectionError):
            words = self._connection.recv()
        if not isinstance(words, Ready):
            raise self._error(words)

    def last_words(self) -> tuple[Exception, bool] | None:
        """Why it is gone, and whether another member may be the reason; None where it goes on."""
        words: Ended | None = None
        with contextlib.suppress(EOFError, ConnectionError):
            if self._connection.poll(WORDS_SECONDS):
                words = self._connection.recv()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(WORDS_SECONDS)
        if words is None and not self.gone:
            return None
        return self._error(words), words is not None and _of_connection_words(words.kind, words.words)

    def end(self) -> None:
        """Kills it, and waits until it is gone."""
        self._connection.close()
        os.close(self._lifeline)
        self._process.kill()
        self._process.wait()

    def _error(self, words: Ended | None) -> Exception:
        who = f"process {self._rank + 1} of {self._size} that train together"
        if words is None:
            self._process.wait()
            code = self._process.returncode
            how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
            return GangError(f"{who} {how}")
        said = f"{who}: {words.words}"
        if words.kind == torch.OutOfMemoryError.__name__:
            return torch.OutOfMemoryError(said)
        return RuntimeError(f"{who}: {words.kind}: {words.words}")


def _weights_of(model: PreTrainedModel) -> dict[str, torch.Tensor]:
    return dict(model.named_parameters()) | dict(model.named_buffers())


def _cause(found: Sequence[tuple[Exception, bool] | None]) -> Exception | None:
    """The error that came first: of a member that lost no connection itself, if there is one."""
    gone = sorted((each for each in found if each is not None), key=lambda each: each[1])
    return gone[0][0] if gone else None


def _of_connection(error: BaseException) -> bool:
    """Whether an error came from the group's library, which says little more than that somebody is gone."""
    return _of_connection_words(type(error).__name__, str(error))


def _of_connection_words(kind: str, words: str) -> bool:
    return kind in CONNECTION_TYPES or (
        kind == "RuntimeError" and any(sign in words for sign in CONNECTION_WORDS)
    )
