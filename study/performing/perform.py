"""Stage → artifacts: runs one trajectory to its furthest missing step, publishing on the way.

Whatever is published already is not made again. A checkpoint whose weights are there and whose answers are
not is evaluated without training. Otherwise the trajectory runs from its parent's checkpoint, or goes on from
the state in which it was cut off; since it is deterministic, running it further later adds steps and changes
none.
"""

import platform
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from study.artifacts.address import ADAPTER_FILE, STATE_FILE, UPON, WEIGHTS_FILE, Address, Store
from study.errors import IntegrityError
from study.evaluation.answering.generation import answer_probes
from study.evaluation.answers_file import ANSWERS_FILE, answers_table
from study.models.adapters.product import Product
from study.models.adapters.sum_norm import sum_norm
from study.models.devices.placement import Placement
from study.models.hardware import describe_device, device_of, devices_of, kernels, release_memory
from study.performing.provenance import describe_node, environment
from study.performing.residents import Residents
from study.performing.service.perform import perform_at_service
from study.performing.stage_work import Tell, Work, missing_addresses, silent
from study.planning.chains import chain_files, link_to
from study.planning.stages import Checkpoint, Evaluation, Stage, Trajectory
from study.results.files import write_pages
from study.settings.execution import Execution
from study.training.loop import train
from study.training.training_state import Progress, Resumption, State, StateBudget


def perform(
    stage: Stage,
    store: Store,
    residents: Residents,
    execution: Execution,
    tell: Tell = silent,
) -> Work:
    """Publishes what is missing of a stage.

    Args:
        stage: its parent's checkpoint must be published.
        tell: called after each artifact that this call made and the store accepted (``published``), and where
            a state is left, taken up or found spoilt.

    Raises:
        DeviceError: the stage asks for GPUs that this process cannot use.
        DivergedError: the training left the finite numbers.
        GangError: a process that trained together with this one is gone.
        IntegrityError: the parent's stored bytes are not what its record says.
        ServiceRefusedError, ServiceSilentError, MissingCheckpointError: of a stage that a service computes.
    """
    if stage.source is None:
        return perform_at_service(stage, store, tell)
    # Sums in another order differ in the last bit, so the number of threads is fixed by the spec.
    torch.set_num_threads(execution.resources(stage.kind).cpus)
    placement = _placement(stage, execution)
    with kernels(placement.first, deterministic=execution.deterministic):
        work = _Performance(stage, store, residents, placement, execution, tell).run()
    if placement.is_spread:
        release_memory()  # of frozen copies: accelerate's hooks and their modules hold each other
    return work


def _processes(stage: Stage, execution: Execution) -> int:
    """Those that train the stage together; an adapter is trained by one."""
    node = stage.node
    if not isinstance(node, Trajectory) or node.optimiser.lora is not None:
        return 1
    return execution.resources(node.kind).members


def _placement(stage: Stage, execution: Execution) -> Placement:
    """Where this process has the model; of several that train together, each has its own card."""
    resources = execution.resources(stage.kind)
    if _processes(stage, execution) > 1:
        return Placement.on(device_of(resources.gpus))
    return Placement(devices_of(resources.gpus), resources.offload == "cpu")


class _Performance:
    def __init__(
        self,
        stage: Stage,
        store: Store,
        residents: Residents,
        placement: Placement,
        execution: Execution,
        tell: Tell,
    ) -> None:
        self._stage = stage
        self._store = store
        self._execution = execution
        self._tell = tell
        if stage.source is None:
            raise TypeError("a service computes this stage")
        self._residents = residents
        self._resident = residents.get(stage.source, placement)
        self._start_up_seconds = residents.start_up_seconds
        self._work = Work()
        self._started = time.perf_counter()
        self._seconds_before = 0.0
        self._states = StateBudget(execution.checkpoint_share)
        self._verified = residents.verified(store)
        self._since_origin: list[Product] | None = None
        self._origin_norm = 0.0

    def run(self) -> Work:
        missing = missing_addresses(self._stage, self._store)
        node = self._stage.node
        steps = {address.step for address in missing}
        if not isinstance(node, Trajectory):
            self._resident.reset()
            self._reached(0, Progress(), None)
            return self._work
        for step in sorted(steps):
            weights = Address.of_weights(node.key, step)
            if self._store.has(weights):
                self._load(Checkpoint(node, step))
                known = self._store.record(weights)["facts"]
                self._reached(step, Progress(step, int(known["train_tokens"])), None)
                steps.discard(step)
        if steps:
            self._load(node.parent)
            middle = self._middle(min(steps))
            begun = 0 if middle is None else middle[0].steps
            self._started = time.perf_counter()
            self._train(node, steps, middle)
            self._work.train_steps = max(steps) - begun
            self._work.train_seconds = time.perf_counter() - self._started
        for step in self._store.steps(node.key, "state"):
            self._store.discard(Address.of_state(node.key, step))
        return self._work

    def _train(self, node: Trajectory, steps: set[int], middle: tuple[Progress, State] | None) -> None:
        execution = self._execution
        resumption = Resumption(execution.checkpoint_every_steps, self._save_state, middle)
        helper = None if node.helper is None else self._chain(node.helper)
        if (processes := _processes(self._stage, execution)) > 1:
            self._residents.gang(processes).train(
                node,
                max(steps),
                steps,
                self._reached,
                execution.micro_batch,
                resumption,
                helper=helper,
                activation_checkpointing=execution.activation_checkpointing,
                deterministic=execution.deterministic,
            )
            return
        train(
            node,
            self._resident,
            last_step=max(steps),
            stops=steps,
            reached=self._reached,
            micro_batch=execution.micro_batch,
            helper=helper,
            # Else what autograd keeps of every layer that lies in main memory would be on the device at once.
            activation_checkpointing=execution.activation_checkpointing or self._resident.placement.offload,
            resumption=resumption,
        )

    def _middle(self, before: int) -> tuple[Progress, State] | None:
        """The latest state from which every step that is missing can still be reached."""
        for step in reversed(self._store.steps(self._stage.key, "state")):
            address = Address.of_state(self._stage.key, step)
            if step >= before:
                continue
            try:
                state = load_file(self._store.file(address, STATE_FILE))
                facts = self._store.record(address)["facts"]
            except IntegrityError as error:
                # A state only saves time: without it the trajectory begins earlier and comes to the same.
                self._tell("state spoilt", step=step, message=str(error))
                self._store.discard(address)
                continue
            self._seconds_before = float(facts["train_seconds"])
            self._tell("state taken up", step=step)
            return Progress(step, int(facts["train_tokens"])), state
        return None

    def _save_state(self, progress: Progress, state: State) -> None:
        paused = time.perf_counter()
        if not self._states.allows(state, paused - self._started):
            return
        address = Address.of_state(self._stage.key, progress.steps)
        on_cpu = {name: value.cpu().contiguous() for name, value in state.items()}
        self._publish(address, lambda path: save_file(on_cpu, path), STATE_FILE, self._facts(progress))
        for step in self._store.steps(address.key, "state"):
            if step < progress.steps:
                self._store.discard(Address.of_state(address.key, step))
        seconds = time.perf_counter() - paused
        self._states.took(seconds)
        self._started += seconds

    def _facts(self, progress: Progress) -> dict[str, int | float]:
        return {
            "train_steps": progress.steps,
            "train_tokens": progress.loss_tokens,
            "train_seconds": self._train_seconds(),
        }

    def _load(self, checkpoint: Checkpoint) -> None:
        files, begin = self._chain(checkpoint), self._links_of_origin(checkpoint)
        if begin is None:
            self._since_origin = None
            self._resident.load(*files)
            return
        origin, norms = tuple(files[:begin]), self._resident.norms
        links = [Product.read(path) for path in files[begin:]]
        self._since_origin = [link for link in links if link is not None]
        if origin in norms:
            self._resident.load(*files)
        else:
            self._resident.load(*origin)
            norms[origin] = self._resident.norm()
            for product in self._since_origin:
                self._resident.add(product)
        self._origin_norm = norms[origin]

    def _links_of_origin(self, checkpoint: Checkpoint) -> int | None:
        """How many files of a chain are the origin's, where all others are adapters upon it; else None."""
        node = self._stage.node
        origin = node.origin if isinstance(node, Trajectory) else None
        if origin is None:
            return None
        there = [link.address for link in origin.chain]
        trained = [link.of for link in checkpoint.chain[len(there) :]] + [node]
        same = [link.address for link in checkpoint.chain[: len(there)]] == there
        adapters = all(isinstance(each, Trajectory) and each.optimiser.lora is not None for each in trained)
        return len(there) if same and adapters else None

    def _chain(self, checkpoint: Checkpoint) -> list[Path]:
        """Hashed once a process: with a large model that takes seconds, and siblings have the same parents."""
        return chain_files(checkpoint, self._store, self._verified)

    def _distance(self, product: Product | None) -> float | None:
        """From the model before unlearning and relearning; None for a model above that."""
        node = self._stage.node
        origin = node.origin if isinstance(node, Trajectory) else None
        if origin is None:
            return None
        if self._since_origin is None:
            return self._resident.distance(*self._chain(origin))
        moved = sum_norm([*self._since_origin, *([] if product is None else [product])])
        return moved / self._origin_norm if self._origin_norm else 0.0

    def _train_seconds(self) -> float:
        """Of the trajectory so far, over all its attempts, without what evaluating and publishing took."""
        return self._seconds_before + time.perf_counter() - self._started

    def _reached(self, step: int, progress: Progress, product: Product | None) -> None:
        facts = self._facts(progress)
        paused = time.perf_counter()
        # Evaluated first: a model that turns out to have diverged is not handed on.
        for at, evaluation in self._stage.evaluate:
            address = Address.of_answers(self._stage.key, step, evaluation.key)
            if at == step and not self._store.has(address):
                self._evaluate(address, evaluation, facts, product)
        weights = Address.of_weights(self._stage.key, step)
        if step in self._stage.keep and not self._store.has(weights):
            if product is None:
                self._publish(weights, self._resident.save, WEIGHTS_FILE, facts)
            else:
                self._publish(weights, product.save, ADAPTER_FILE, facts, self._upon())
            self._work.weights_published += 1
        self._started += time.perf_counter() - paused

    def _upon(self) -> dict[str, Any]:
        """What the record of an adapter says of its parent's file; nothing where that is a model itself."""
        node = self._stage.node
        if not isinstance(node, Trajectory) or not isinstance(node.parent.of, Trajectory):
            return {}
        return {UPON: link_to(node.parent, self._store)}

    def _evaluate(
        self, address: Address, evaluation: Evaluation, facts: Mapping[str, Any], product: Product | None
    ) -> None:
        began = time.perf_counter()
        answers = answer_probes(
            self._resident,
            evaluation.probes,
            evaluation.generation.max_new_tokens,
            self._execution.evaluation_batch,
        )
        seconds = time.perf_counter() - began
        self._work.evaluations += 1
        self._work.evaluation_seconds += seconds
        self._publish(
            address,
            lambda path: write_pages(answers_table([answer.row() for answer in answers]), path),
            ANSWERS_FILE,
            {
                **facts,
                "evaluation_seconds": seconds,
                "probes": len(answers),
                "weight_distance": self._distance(product),
            },
        )

    def _publish(
        self,
        address: Address,
        write: Callable[[Path], None],
        name: str,
        facts: Mapping[str, Any],
        more: Mapping[str, Any] | None = None,
    ) -> None:
        """Writes a file and publishes it with the record of how it was made; told where the store accepts it."""
        with self._store.staging() as folder:
            write(folder / name)
            accepted = self._store.publish(
                address,
                folder,
                {
                    "stage": describe_node(self._stage.node),
                    "facts": dict(facts),
                    "environment": environment(),
                    **describe_device(self._resident.device),
                    "threads": torch.get_num_threads(),
                    "processes": _processes(self._stage, self._execution),
                    **self._resident.placement.facts(),
                    "node": platform.node(),
                    "start_up_seconds": self._start_up_seconds,
                    **(more or {}),
                },
            )
        if accepted:
            told = {"what": address.what} if name != STATE_FILE else {}
            self._tell("published" if told else "state left", step=address.step, **told)
