"""The nodes of the stage tree: frozen data, each with a key that is its whole identity.

    Pretrained ──┐
                 ├─ Checkpoint ─ Trajectory ─ Checkpoint ─ Trajectory ─ …
    Trajectory ──┘   (of, step)   (base, finetune, reinforce, unlearn, relearn)

A trajectory starts at a parent checkpoint and takes optimiser steps; a method may let it look at a helper
checkpoint too, the end of another trajectory. Its key holds everything that
changes its numbers and *not* how far it goes: what it publishes is addressed (key, step). So a study that
asks for more steps, depths or corpora later finds all it already has under the same addresses.
"""

from dataclasses import dataclass
from functools import cached_property

from study.artifacts.address import ADAPTER_FILE, WEIGHTS_FILE, Address
from study.identity import key
from study.planning.served_nodes import Job, ServedModel, Steps
from study.settings.model import Architecture, Generation
from study.settings.optimiser import Optimiser
from study.text.examples import Corpus, ProbeSet
from study.unlearning.method import UnlearningMethod


@dataclass(frozen=True)
class Pretrained:
    """A causal language model from a folder or the hub, addressed by its content.

    ``fingerprint`` is the resolved hub revision, or the SHA-256 over the folder's files. ``location`` is
    where to find it and no part of its identity.
    """

    location: str
    fingerprint: str
    attention: str
    precision: str
    kind = "pretrained"

    def identity(self) -> dict[str, str]:
        return {
            "fingerprint": self.fingerprint,
            "attention": self.attention,
            "precision": self.precision,
        }

    @cached_property
    def key(self) -> str:
        return key(self)


@dataclass(frozen=True)
class Embedded:
    """The small model the project makes itself: random weights of one seed, one token per piece of text."""

    architecture: Architecture
    vocabulary: tuple[str, ...]
    attention: str
    precision: str
    seed: int
    kind = "embedded"

    @cached_property
    def key(self) -> str:
        return key(self)


@dataclass(frozen=True)
class Checkpoint:
    """A node's weights after ``step`` optimiser steps; step 0 of a model is the model itself."""

    of: "Node"
    step: int

    def identity(self) -> list[str | int]:
        return [self.of.key, self.step]

    @property
    def address(self) -> Address:
        """Of its weights, or of the adapter that makes them."""
        return Address.of_weights(self.of.key, self.step)

    @property
    def chain(self) -> tuple["Checkpoint", ...]:
        """The checkpoints whose files make its weights: whole weights first, then each adapter upon them.

        Empty for a model itself, whose weights are there without a file.
        """
        if not isinstance(self.of, Trajectory):
            return ()
        return (self,) if self.of.optimiser.lora is None else (*self.of.parent.chain, self)


@dataclass(frozen=True)
class Trajectory:
    """Optimiser steps from a parent checkpoint, under one objective, over one order of the data.

    Attributes:
        kind: ``base``, ``finetune``, ``reinforce``, ``unlearn`` or ``relearn``.
        method: the unlearning method, or None for maximum likelihood.
        data: what the batches are drawn from: D, D_u or D′.
        retain: what a retain-aware method draws its second batch from; None where the method has none.
        generic, helper: the data in generic terms, and the end of the method's prerequisite trajectory;
            None for a method without one.
        max_length: where texts are cut off, in tokens.
    """

    kind: str
    parent: Checkpoint
    method: UnlearningMethod | None
    data: Corpus
    retain: Corpus | None
    optimiser: Optimiser
    seed: int
    generic: Corpus | None = None
    helper: Checkpoint | None = None
    max_length: int | None = None

    @cached_property
    def key(self) -> str:
        return key(self)

    @property
    def weights_file(self) -> str:
        """What its checkpoints keep: whole weights, or an adapter upon the parent's."""
        return WEIGHTS_FILE if self.optimiser.lora is None else ADAPTER_FILE

    @property
    def source(self) -> Pretrained | Embedded:
        """The model at the root: it fixes architecture and tokenizer."""
        above = self.parent.of
        if isinstance(above, ServedModel | Job | Steps):
            raise TypeError("nothing is trained here from a model that a service holds")
        return above.source if isinstance(above, Trajectory) else above

    @property
    def origin(self) -> Checkpoint | None:
        """The model before unlearning and relearning, which distances are measured from; None above it."""
        if self.kind not in ("unlearn", "relearn"):
            return None
        above = self.parent.of
        if isinstance(above, Trajectory) and above.origin is not None:
            return above.origin
        return self.parent


Node = Pretrained | Embedded | Trajectory | ServedModel | Job | Steps


@dataclass(frozen=True)
class Evaluation:
    """What is asked of a checkpoint, and how. Its key stands beside (trajectory, step) in an address."""

    probes: ProbeSet
    generation: Generation

    @cached_property
    def key(self) -> str:
        return key(self)


@dataclass(frozen=True)
class Stage:
    """A unit of work that one Ray Tune trial executes: one node, up to its furthest wanted step.

    Attributes:
        node: the trajectory to run, or a model that is only evaluated.
        keep: steps whose weights are published, because some other stage starts there.
        evaluate: step → the evaluations whose answers are published there.
    """

    node: Node
    keep: tuple[int, ...]
    evaluate: tuple[tuple[int, Evaluation], ...]

    @property
    def key(self) -> str:
        return self.node.key

    @property
    def kind(self) -> str:
        return self.node.kind

    @property
    def source(self) -> Pretrained | Embedded | None:
        """The model that it loads; None where a service computes."""
        if isinstance(self.node, ServedModel | Job | Steps):
            return None
        return self.node.source if isinstance(self.node, Trajectory) else self.node

    @property
    def last_step(self) -> int:
        """How many optimiser steps the whole stage takes."""
        return max([0, *self.keep, *(step for step, _ in self.evaluate)])

    @property
    def publishes(self) -> list[Address]:
        """Every artifact that it publishes."""
        return [
            *(Address.of_weights(self.key, step) for step in self.keep),
            *(Address.of_answers(self.key, step, evaluation.key) for step, evaluation in self.evaluate),
        ]

    @property
    def parents(self) -> tuple[Checkpoint, ...]:
        """The checkpoints it waits for, every link of their chains; none at a model, which is simply there."""
        if not isinstance(self.node, Trajectory):
            return ()
        starts = [each for each in (self.node.parent, self.node.helper) if each is not None]
        return tuple({link.address: link for start in starts for link in start.chain}.values())


def characters_of_a_step(node: Trajectory) -> float:
    """How much text one optimiser step sees in the mean, without what a method draws beside it."""
    return node.optimiser.batch_size * node.data.mean_characters
