"""What a study will cost, for a person and as JSON; of a begun study, what is left of it."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from cluster.command_line.terminal import console, duration, print_pairs
from cluster.driver.other_keys import under_other_keys
from cluster.driver.preflight.checks import local_slots, rough_demands
from cluster.driver.preflight.first_probe import FirstProbe
from cluster.driver.preflight.service_cost import ServiceCost, service_cost
from cluster.driver.preflight.shortened_texts import Shortened
from cluster.driver.preflight.unreachable_scores import UnreachableScores, unreachable_scores
from cluster.ray_tune.room import GIBIBYTE, Demand
from cluster.storage.store import Store
from study.artifacts.address import Address, Record
from study.errors import IntegrityError, command_line, counted
from study.models.memory import checkpoint_bytes
from study.planning.cost import Cost, cost
from study.planning.plan import Plan
from study.planning.shipped_times import MACHINE, shipped_step_times
from study.planning.step_times import step_times_of_records

MEASURED_RECORDS = 500
"""Records of answers that are read to know what steps and evaluations take."""

Row = tuple[str, str]


@dataclass(frozen=True)
class PlanSummary:
    """A plan and its cost over a store.

    Attributes:
        space: as it was typed, where a command is to be shown.
        elsewhere: the machine whose times the estimate has, where this store has measured none.
        store: as it was typed.
    """

    folder: Path
    plan: Plan
    cost: Cost
    overrides: Sequence[str]
    shortened: Sequence[Shortened]
    unreachable: Sequence[UnreachableScores] = ()
    demands: Sequence[Demand] = ()
    first_probe: FirstProbe | None = None
    service: ServiceCost | None = None
    other_keys: int = 0
    space: str = ""
    elsewhere: str = ""
    store: str = ""

    @property
    def size(self) -> tuple[int, int, int]:
        """How many seeds, forget probes, and relearnings for each seed."""
        evaluations = {id(cell.evaluation): cell.evaluation for cell in self.plan.cells}.values()
        probes = [sum(probe.split == "forget" for probe in each.probes.probes) for each in evaluations]
        seeds = {cell.seed for cell in self.plan.cells}
        relearnings = {
            (cell.method, cell.start, cell.repetitions, cell.depth, cell.corpus)
            for cell in self.plan.cells
            if cell.relearn_steps
        }
        return len(seeds), max(probes, default=0), len(relearnings)

    def show(self) -> None:
        """Prints the whole plan."""
        print_pairs(self._title(), self._rows())
        if command := self._how_to_measure():
            console().print(
                "\nTo know the time on this machine, compute one trajectory of the study, which stays a part of it, "
                "and plan again:"
                f"\n  {command}"
            )

    def show_left(self) -> None:
        """Prints what is left to do."""
        cost = self.cost
        done = ("stages", f"{cost.stages_published:,} of {len(self.plan.stages):,} are published")
        print_pairs(f"{self.plan.spec.name}: what is left", [done, self._disk(), self._time()])

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "study": self.plan.spec.name,
            "folder": str(self.folder),
            **asdict(self.cost),
            "steps_factor": self.cost.steps_factor,
            "evaluations_factor": self.cost.evaluations_factor,
            "corpora": [
                {"repetitions": count, **asdict(each)}
                for count, found in self.plan.audits.items()
                for each in found
            ],
            "memory": [
                {"model": each.model, "kind": each.kind, **asdict(each.need)} for each in self.demands
            ],
            "shortened": [asdict(each) for each in self.shortened],
            "unreachable_scores": [asdict(each) for each in self.unreachable],
            "first_probe": None if self.first_probe is None else asdict(self.first_probe),
            "stages_under_other_keys": self.other_keys,
            "seconds_measured_on": self.elsewhere or ("this store" if self.cost.seconds else None),
            "service": None if self.service is None else asdict(self.service),
            "overrides": list(self.overrides),
            "spec": self.plan.spec.model_dump(mode="json"),
        }

    def _title(self) -> str:
        spec = self.plan.spec
        title = f"{spec.name}: {spec.question}" if spec.question else spec.name
        if spec.search is not None:
            title += (
                f"\nThe rounds of a search ({spec.search.question}) that are known now; later rounds depend on the "
                "answers."
            )
        return title

    def _rows(self) -> Iterator[Row]:
        cost = self.cost
        kinds = ", ".join(f"{kind} {count}" for kind, count in cost.stages.items())
        yield "cells", f"{cost.cells:,}"
        yield "unique stages", f"{len(self.plan.stages):,} ({kinds})"
        yield (
            "training steps",
            f"{cost.train_steps:,} shared, {cost.train_steps_alone:,} cell by cell: "
            f"{cost.steps_factor:.1f} times fewer",
        )
        yield (
            "evaluations",
            f"{cost.evaluations:,} shared, {cost.evaluations_alone:,} cell by cell: "
            f"{cost.evaluations_factor:.1f} times fewer",
        )
        if self.service is not None:
            yield "jobs at the service", self.service.in_words
        yield self._disk()
        for model in dict.fromkeys(demand.model for demand in self.demands):
            yield "memory of a stage", self._memory(model)
        yield (
            "published already",
            f"{counted(cost.stages_published, 'stage')}, {cost.artifacts_published:,} of {cost.artifacts:,} artifacts",
        )
        if self.other_keys:
            yield (
                "under other keys",
                f"{self.other_keys:,} stages of this store were computed by a version of relearn whose keys differ; "
                "they are not used and are computed again: go on with that version to keep them",
            )
        yield self._time()
        if self.plan.spec.search is not None:
            yield "searched by", self.plan.spec.objective_in_words
        for count, audits in self.plan.audits.items():
            for audit in audits:
                if audit.leak is not None:
                    yield "leak, marked", f"{audit.corpus}, repetitions={count}: {audit.leak}"
        for each in self.shortened:
            limit = self.plan.spec.max_length
            yield "training texts" if limit is None else f"max_length={limit}", each.in_words
        for unreachable in self.unreachable:
            yield "score not reached", unreachable.in_words
        if self.first_probe is not None:
            yield from self.first_probe.rows()
        if self.overrides:
            yield "overrides", "; ".join(self.overrides)

    def _disk(self) -> Row:
        cost = self.cost
        kept = f"{cost.disk_bytes / 1e6:,.0f} MB for checkpoints ({cost.kept_checkpoints} are kept in all)"
        return "disk still to take", f"{kept}; stages read {cost.read_bytes / 1e6:,.0f} MB of them"

    def _memory(self, model: str) -> str:
        """By kind: on its GPU where it asks for one, and of the machine."""
        words = []
        for demand in self.demands:
            if demand.model == model:
                card = (
                    f"{demand.need.device / GIBIBYTE:.1f} GiB on its GPU and " if demand.need.device else ""
                )
                words.append(f"{demand.kind} {card}{demand.need.host / GIBIBYTE:.1f} GiB of the machine")
        return f"about {'; '.join(words)}"

    def _time(self) -> Row:
        cost = self.cost
        if cost.seconds is None:
            return "time", "unknown, until a stage has been measured in this store"
        if cost.stages_published == len(self.plan.stages):
            return "time", "none: all of it is published"
        where = f" on {self.elsewhere}: yours may differ" if self.elsewhere else ""
        return (
            "time",
            f"about {duration(cost.seconds)} with {counted(cost.slots, 'stage')} at once, "
            f"{duration(cost.start_up_seconds)} of that to start, from what was measured{where}",
        )

    def _how_to_measure(self) -> str:
        """The command that computes one trajectory, where nothing is measured here; of a search, nothing."""
        spec = self.plan.spec
        measured = self.cost.seconds is not None and not self.elsewhere
        if measured or not self.space or spec.search is not None:
            return ""
        least: dict[str, object] = {
            "depth": min(spec.depth, default=None),
            "corpus": spec.corpus[0],
            "repetitions": spec.repetitions[0],
            "seed": spec.seed[0],
            "start": "unlearned" if "unlearned" in spec.start else spec.start[0],
            "relearn_steps": max(spec.relearn_steps),
        }
        slice_of_it = {
            name: f"{name}=[{value}]" for name, value in least.items() if len(getattr(spec, name)) > 1
        }
        if not slice_of_it:
            return ""
        given = [override for override in self.overrides if override.partition("=")[0] not in slice_of_it]
        words = [word for each in (*given, *slice_of_it.values()) for word in ("--set", each)]
        where = ("--store", self.store) if self.store else ()
        return command_line("run", self.space, *words, "--study", self.folder, *where)


def summarise(
    plan: Plan,
    store: Store,
    folder: Path,
    overrides: Sequence[str],
    shortened: Sequence[Shortened],
) -> PlanSummary:
    """What a plan costs beyond what a store holds.

    Args:
        folder, overrides: of the study, to be shown.
        shortened: what training texts lose.
    """
    published = list(store.addresses())
    answers = [address for address in published if address.what.startswith("answers")]
    records = list(_readable(answers[-MEASURED_RECORDS:], store))
    step_times = step_times_of_records(records)
    shipped = None if step_times.known else shipped_step_times(plan)
    found = cost(
        plan,
        published,
        shipped or step_times,
        cache(checkpoint_bytes),
        local_slots(plan.spec),
    )
    return PlanSummary(
        folder,
        plan,
        found,
        overrides,
        shortened,
        unreachable_scores(plan),
        rough_demands(plan),
        service=service_cost(plan, published),
        other_keys=under_other_keys(plan, records),
        elsewhere=MACHINE if shipped is not None and found.seconds else "",
    )


def _readable(addresses: Sequence[Address], store: Store) -> Iterator[Record]:
    """The records that can be read; a damaged one is the business of `relearn verify`."""
    for address in addresses:
        try:
            yield store.record(address)
        except (IntegrityError, KeyError):
            continue
