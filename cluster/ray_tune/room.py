"""Does a stage find the memory that it needs on a machine: on its card, and in main memory?"""

from collections.abc import Sequence
from dataclasses import dataclass

from study.models.memory import CONTEXT_BYTES, Need
from study.settings.execution import Resources

GIBIBYTE = 2**30


@dataclass(frozen=True)
class Demand:
    """What stages of one kind ask for and need.

    Attributes:
        kind: of the stages.
        model: its location, for messages.
        need: of the one that needs most.
        trains_all_weights: whether one of them does.
    """

    kind: str
    model: str
    resources: Resources
    need: Need
    trains_all_weights: bool


@dataclass(frozen=True)
class Machine:
    """What a machine has.

    Attributes:
        cores: that stages may use.
        memory: bytes of main memory that are free.
        cards: GPUs.
        card_memory: bytes of each GPU.
    """

    cores: int
    memory: int
    cards: int = 0
    card_memory: int = 0


def this_machine(cores: int, cards: int, card_memory: int) -> Machine:
    """The machine that this process runs on, with what is free of its main memory now."""
    import psutil

    return Machine(cores, int(psutil.virtual_memory().available), cards, card_memory)


def misfit(demand: Demand, machine: Machine) -> str | None:
    """What a stage lacks on a machine that has the cores and cards for it, in words; None where it fits.

    Main memory is shared by as many stages as find cores and cards at once.
    """
    resources, need = demand.resources, demand.need
    at_once = max(1, machine.cores // resources.cores)
    what = f"a stage of kind {demand.kind} of model={demand.model} needs about"
    if resources.gpus:
        share = min(1.0, resources.gpus)
        at_once = max(1, min(at_once, int(machine.cards / resources.gpus)))
        there = int(machine.card_memory * share) - CONTEXT_BYTES
        if need.device > there:
            of = "the GPU has" if share == 1 else f"{share:g} of the GPU is"
            return (
                f"{what} {need.device / GIBIBYTE:.1f} GiB on its GPU, and {of} {max(0, there) / GIBIBYTE:.1f} GiB "
                "beside what CUDA itself takes"
            )
    there = machine.memory // at_once
    if need.host > there:
        return (
            f"{what} {need.host / GIBIBYTE:.1f} GiB of main memory, and with {at_once} stages at once there is "
            f"{there / GIBIBYTE:.1f} GiB for it"
        )
    return None


def remedies(demands: Sequence[Demand]) -> str:
    """What lowers the memory that stages need."""
    kinds = dict.fromkeys(demand.kind for demand in demands if demand.trains_all_weights)
    found = []
    if kinds:
        adapters = ", ".join(f"--set {_optimiser_key(kind)}.lora={{}}" for kind in kinds)
        found.append(f"train adapters ({adapters})")
    on_cards = {
        demand.kind: demand.resources.gpus
        for demand in demands
        if demand.resources.gpus and demand.resources.offload == "none"
    }
    more = {kind: f"{kind}: {{gpus: {2 * max(1, int(gpus))}}}" for kind, gpus in on_cards.items()}
    if together := [each for kind, each in more.items() if kind in kinds]:
        found.append(f"let several GPUs of a node train together {_of_kinds(together)}")
    if apart := [kind for kind in more if kind not in kinds]:
        found.append(
            f"spread the layers over several GPUs of a node {_of_kinds([more[kind] for kind in apart])}"
        )
        in_main_memory = [f"{kind}: {{gpus: {min(1, on_cards[kind]):g}, offload: cpu}}" for kind in apart]
        found.append(f"keep them in main memory, which is slower {_of_kinds(in_main_memory)}")
    return ", ".join(
        (
            *found,
            "--set precision=mixed",
            "--set execution.activation_checkpointing=true",
            "a smaller execution.micro_batch or execution.evaluation_batch",
            "or let fewer stages run at once (a higher execution.cpus, or a larger share execution.gpus)",
        )
    )


def _of_kinds(resources: Sequence[str]) -> str:
    return f"(--set 'execution.of_kind={{{', '.join(resources)}}}')"


def _optimiser_key(kind: str) -> str:
    return {"finetune": "finetune.optimiser"}.get(kind, kind)
