"""A study's folder: what it asks (study.json), its rows, its failures and its logs.

DIR/study.json            the resolved spec and its provenance
DIR/planned.parquet       a row for each planned cell, so that readers see what is missing
DIR/corpora.parquet       a row for each relearn corpus: its size, its nearness to the forget set, its leak
DIR/results/{cells,probes}  the rows
DIR/cells.parquet         the rows of all cells once more, in one file; see study/results/merged_cells.py
DIR/failures/KEY.json     why a stage failed; see failures.py
DIR/log/NODE-PID.jsonl    one line an event
DIR/store                 the artifacts, unless --store names another place; of a study in a folder called
                          ``studies`` they lie in studies/store, which all studies in that folder share
"""

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from cluster.storage.open_store import is_remote, open_store
from cluster.storage.store import Store
from cluster.study_folder.axis_growth import axis_growth
from cluster.study_folder.lease import Lease
from cluster.study_folder.redaction import redacted
from study.artifacts.atomic_write import checksum_file, matches_checksum, write_json
from study.errors import IntegrityError, PreflightError, SpecError, command_line
from study.identity import NUMERICS
from study.planning.cost import train_steps_alone
from study.planning.plan import Plan
from study.results.files import CORPORA_FILE, PLANNED_FILE, dataset_folder, write_table
from study.results.links import refuse_links
from study.results.near_studies import no_study
from study.results.recorded_spec import read_study
from study.results.schema import COORDINATES, CORPORA, PLANNED, table
from study.results.spec_entries import differences
from study.spec import AXES, StudySpec, method_label

FORMAT = 1
STUDY_FILE = "study.json"
WORKING_FOLDER = "working_folder"
"""Where the user stood when the study's paths were given; see ``working_folder``."""
QUESTION = ("spec", "axes", "models", "inputs", "store", WORKING_FOLDER)
"""What a study goes on from. No secret belongs there, and a masked word would make it another study."""
STUDIES_FOLDER = "studies"
"""The folder's name whose studies share a store."""
DESCRIPTION = (PLANNED_FILE, CORPORA_FILE)
"""Which follow from the spec alone, and are written again at once."""


@dataclass(frozen=True)
class Recorded:
    """What ``study.json`` says."""

    spec: dict[str, Any]
    models: dict[str, str]
    inputs: dict[str, str]
    store: str
    content: dict[str, Any]


class StudyFolder:
    """See the module's text."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def recorded(self) -> Recorded:
        """The study that lives here.

        Raises:
            SpecError: there is none, or its study.json cannot be read.
        """
        path = self.folder / STUDY_FILE
        try:
            refuse_links(self.folder)
            content = read_study(path.read_bytes())
            if content.get("format") != FORMAT:
                raise SpecError(
                    f"{path} has format {content.get('format')!r}, this version reads {FORMAT}: use "
                    "the relearn version that wrote it"
                )
            return Recorded(content["spec"], content["models"], content["inputs"], content["store"], content)
        except (FileNotFoundError, NotADirectoryError):
            raise SpecError(no_study(self.folder)) from None
        except (ValueError, KeyError, AttributeError) as error:
            raise SpecError(
                f"{path} cannot be read as a study ({_why(error)}): restore it from a copy, or start a new study"
            ) from error

    def replannable(self) -> Recorded:
        """The study that lives here, where the keys of a plan made now are those of its artifacts.

        Raises:
            SpecError: as ``recorded``.
            PreflightError: it was begun by a version whose numbers differ, so that every key does.
        """
        recorded = self.recorded()
        before = recorded.content.get("numerics")
        if before != NUMERICS:
            raise PreflightError(
                f"{self.folder} was begun by a version of relearn that computes other numbers "
                f"(numerics {before or 'not recorded'}, here {NUMERICS}), and one study must not mix them: go on with "
                "the version that began it, or begin again in another folder with --study; its rows can still be read "
                "by `relearn report`, `export`, `compare` and pandas"
            )
        return recorded

    def exists(self) -> bool:
        """Whether a study lives here."""
        return (self.folder / STUDY_FILE).exists()

    def growth(self, spec: StudySpec, models: Mapping[str, str], inputs: Mapping[str, str]) -> list[str]:
        """What a spec adds to the study that lives here, as lines to show. Reads only.

        Returns:
            Empty for a new or an unchanged study.

        Raises:
            SpecError: another study lives here, or something that is no study.
            PreflightError: the data, a model or the numerics changed since the start.
            IntegrityError: study.json is not what was written: its rows may answer another question.
        """
        # What describes a study is written before study.json: a crash in between must not lock the folder. It is listed
        # before study.json is looked for, which another command may write at this moment.
        others = sorted({path.name for path in self.folder.glob("[!.]*")} - set(DESCRIPTION))
        if self.exists():
            recorded = self.replannable()
            path = self.folder / STUDY_FILE
            if checksum_file(path).exists() and not matches_checksum(path):
                raise IntegrityError(
                    f"{path} was changed by hand: put a copy of it back; or, for another question, begin another study "
                    "with --study (--store reuses the stages that they share)"
                )
            return self._compare(recorded, spec, models, inputs)
        if others:
            raise SpecError(
                f"{self.folder} is no study and not empty ({', '.join(others[:3])}): name an empty or new folder "
                "with --study"
            )
        return []

    def claim(
        self,
        lease: Lease,
        spec: StudySpec,
        plan: Plan,
        *,
        models: Mapping[str, str],
        inputs: Mapping[str, str],
        store: str,
        space: str,
        overrides: Sequence[str],
        command: Sequence[str],
    ) -> list[str]:
        """Writes study.json, where the study that lives here is this one or grows into it.

        Returns, raises:
            As ``growth``; and OSError where storage does not answer: may be called again.
        """
        grown = self.growth(spec, models, inputs)
        previous = self.recorded().content if self.exists() else {}
        now = datetime.now(UTC).isoformat(timespec="seconds")
        content = {
            "format": FORMAT,
            "numerics": NUMERICS,
            "space": space,
            "overrides": list(overrides),
            "spec": spec.model_dump(mode="json"),
            "axes": _axes(spec),
            "models": dict(models),
            "inputs": dict(inputs),
            "store": store,
            WORKING_FOLDER: str(Path.cwd()),
            "created": previous.get("created", now),
            "provenance": {**previous.get("provenance", {}), "command": " ".join(command)},
        }
        self.describe(lease, plan)
        self._write(lease, content)
        return grown

    def describe(self, lease: Lease, plan: Plan) -> None:
        """Writes what a plan says of its cells and corpora, for readers of the rows."""
        lease.check()
        write_table(_planned(plan), self.folder / PLANNED_FILE)
        write_table(_corpora(plan), self.folder / CORPORA_FILE)

    def add_provenance(self, lease: Lease, facts: Mapping[str, Any]) -> None:
        """Merges facts about a run into study.json."""
        content = self.recorded().content
        content["provenance"] = {**content["provenance"], **facts}
        self._write(lease, content)

    def _compare(
        self,
        recorded: Recorded,
        spec: StudySpec,
        models: Mapping[str, str],
        inputs: Mapping[str, str],
    ) -> list[str]:
        for kind, before, now in (
            ("input file", recorded.inputs, inputs),
            ("model", recorded.models, models),
        ):
            for name, digest in before.items():
                if name in now and now[name] != digest:
                    raise PreflightError(
                        f"the {kind} {name} changed since the study began ({now[name][:12]}, recorded "
                        f"{digest[:12]}): put the recorded one back, or start a new study with --study"
                    )
        old = StudySpec.model_validate(recorded.spec).question_identity()
        new = spec.question_identity()
        grown = axis_growth(old, new, (*AXES, "control_depth"))
        if grown is None:
            lines = "\n".join(f"  {path}: {before} → {now}" for path, before, now in differences(old, new))
            raise SpecError(
                f"{self.folder} belongs to another spec; recorded → given:\n{lines}\n"
                "An axis may grow; for anything else name another folder with --study "
                f"(--store {shlex.quote(_location(self.folder, recorded.store))} reuses the stages that they share)"
            )
        return grown

    def _write(self, lease: Lease, content: Mapping[str, Any]) -> None:
        lease.check()
        told = {name: value for name, value in content.items() if name not in QUESTION}
        kept = {**content, **redacted(told)}
        write_json(self.folder / STUDY_FILE, kept, checksum=True)


def _why(error: Exception) -> str:
    return f"it has no key {error}" if isinstance(error, KeyError) else str(error)


def _axes(spec: StudySpec) -> dict[str, list[Any]]:
    axes = {axis: list(getattr(spec, axis)) for axis in AXES}
    axes["method"] = [method_label(method) for method in spec.method]
    return {"scenario": [spec.the_scenario.name], **axes}


def _planned(plan: Plan) -> pa.Table:
    rows = [
        {
            **dict(zip(COORDINATES, cell.coordinates, strict=True)),
            "benign": cell.benign,
            "train_steps_alone": train_steps_alone(cell.checkpoint),
        }
        for cell in plan.cells
    ]
    return table(rows, PLANNED)


def _corpora(plan: Plan) -> pa.Table:
    scenario = plan.spec.the_scenario.name
    rows = [
        {"scenario": scenario, "repetitions": count, **asdict(each)}
        for count, audits in plan.audits.items()
        for each in audits
    ]
    return table(rows, CORPORA)


def store_of(folder: Path, given: str | None = None) -> Store:
    """The store of a study, begun or not.

    Args:
        given: where the user wants it; None: as study.json says, else the default of new studies.

    Raises:
        SpecError: no store can be opened there, or study.json cannot be read.
    """
    if given is not None:
        return open_store(given)
    study = StudyFolder(folder)
    if not study.exists():
        return open_store(default_store(folder))
    location = _location(folder, study.recorded().store)
    moved = (
        _is_shared(Path(location)) and not Path(location).exists()
    )  # with its folder of studies, most likely
    return open_store(default_store(folder) if moved else location)


def gone(folder: Path, store: Store) -> str | None:
    """What to do where the store of a study that has rows is not there, as after a move; None where all is well."""
    if not any(dataset_folder(folder, "cells").glob("*.parquet")):
        return None  # nothing was computed, so nothing has been moved away
    if is_remote(store.location) or Path(store.location).exists():
        return None
    return (
        f"{store.location}, the store of {folder}, is not there: put it back, or say where it is now with --store NEW "
        f"({command_line('resume', folder)} --store NEW records it)"
    )


def store_that_is_there(folder: Path, given: str | None = None) -> Store:
    """The store, for a verb that only reads it.

    Raises:
        SpecError: it is not there, though the study has rows.
    """
    store = store_of(folder, given)
    if words := gone(folder, store):
        raise SpecError(words)
    return store


def default_store(folder: Path) -> str:
    """Where a new study keeps its artifacts: with its neighbours in a folder called ``studies``, else within its own.

    A folder that holds a store already keeps to it.
    """
    whole = Path(os.path.realpath(folder))  # a loop of links is no error here, as `resolve` makes it
    beside = whole.parent / "store"
    if _is_shared(beside) and whole != beside and not (whole / "store").exists():
        return str(beside)
    return str(folder / "store")


def _is_shared(location: Path) -> bool:
    return (location.parent.name, location.name) == (STUDIES_FOLDER, "store")


def _location(folder: Path, recorded: str) -> str:
    """Where a recorded store is; a path in study.json begins at the study's folder."""
    return recorded if "://" in recorded else str(folder / recorded)
