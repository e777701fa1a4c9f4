"""What hands do to a study's folder: study.json edited, files swapped, mixed and half copied, under right sums too.

What cannot be read or is not what was written is refused with the file's name, and nothing is computed on it. What
says the same in other words is the same study. Put back, or repaired and gone on with, its rows are as undisturbed.
"""

import json
import shutil
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from cluster.storage.local_layout import RECORD
from cluster.storage.records import files_of, write_record
from cluster.study_folder.study_folder import store_of
from study.artifacts.address import Address
from study.artifacts.atomic_write import checksum_file
from study.identity import file_sha256
from tests.commands import call
from tests.faults.checker import Fault

FIELDS: dict[str, Any] = {"depth": [1, 2], "corpus": ["prefix", "retain"], "question": "Comes Zoë back?"}


class Edit(NamedTuple):
    """An edit of study.json's text, and how `resume` ends where its sum was renewed."""

    make: Callable[[str], str]
    code: int


def reordered(text: str) -> str:
    content = json.loads(text)
    content["spec"]["corpus"].reverse()
    return json.dumps(content)


def smaller(text: str) -> str:
    content = json.loads(text)
    content["spec"]["depth"] = content["axes"]["depth"] = [2]
    return json.dumps(content)


def put(old: str, new: str) -> Callable[[str], str]:
    def edit(text: str) -> str:
        assert old in text
        return text.replace(old, new, 1)

    return edit


EDITS = {
    "an axis in another order": Edit(reordered, 0),
    "a value of an axis taken away": Edit(smaller, 0),
    "1e-3 in place of 0.001": Edit(put('"learning_rate": 0.001', '"learning_rate": 1e-3'), 0),
    "NaN": Edit(put('"learning_rate": 0.001', '"learning_rate": NaN'), 2),
    "a key twice": Edit(put('"seed": [', '"seed": [7], "seed": ['), 2),
    "a byte order mark": Edit(lambda text: f"\ufeff{text}", 0),
    "a composed letter taken apart": Edit(lambda text: unicodedata.normalize("NFD", text), 0),
    "a comment": Edit(put("{", "{ // mine\n"), 2),
    "half of it": Edit(lambda text: text[: len(text) // 2], 2),
}
QUICK = ("a value of an axis taken away", "NaN")
READS = (
    ("status", "s"),
    ("logs", "s"),
    ("export", "s"),
    ("plan", "space.json", "--study", "s"),
    ("verify", "s", "--repair"),
)


def contents(study: Path) -> dict[str, bytes]:
    """The question, the rows and the artifacts."""
    paths = [study / "study.json", *(study / "results").rglob("*"), *(study / "store").rglob("*")]
    return {str(path): path.read_bytes() for path in paths if path.is_file()}


def renew(path: Path) -> None:
    """The sum beside a file, as who knows of it would."""
    checksum_file(path).write_text(f"{file_sha256(path)}\n")


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(
            edit,
            id=name,
            marks=[
                pytest.mark.fault(f"study.json edited by hand: {name}"),
                *([] if name in QUICK else [pytest.mark.slow]),
            ],
        )
        for name, edit in EDITS.items()
    ],
)
@pytest.mark.usefixtures("without_ray")
def test_study_json_is_edited(finished, space, undisturbed, fault: Fault, tmp_path: Path, edit: Edit) -> None:
    study = finished(**FIELDS)
    run = ("run", space(**FIELDS), "--study", "s")
    path, expected = study / "study.json", undisturbed(**FIELDS)
    original = path.read_bytes()
    path.write_text(edit.make(path.read_text(encoding="utf-8")), encoding="utf-8")
    fault.inject()
    before = contents(study)
    for words in (run, ("resume", "s"), ("verify", "s")):
        code, output = call(*words, cwd=tmp_path)
        assert code == (edit.code or 5), (words, output)
        assert "study.json" in output
    for reading in READS:
        code, output = call(*reading, cwd=tmp_path)
        assert code in (0, 2, 5), (reading, output)
        assert "Traceback" not in output, (reading, output)
        assert contents(study) == before, reading
    renew(path)
    code, output = call("resume", "s", cwd=tmp_path)
    assert code == edit.code, output
    assert "Traceback" not in output
    path.write_bytes(original)
    renew(path)
    code, output = call("resume", "s", cwd=tmp_path)
    assert code == 0, output
    fault.check(study, expected, code=code)


def answers_of(study: Path) -> list[Address]:
    """Of one trajectory, at two steps at least."""
    found = [address for address in store_of(study).addresses() if address.what.startswith("answers")]
    by_key = {address.key: [each for each in found if each.key == address.key] for address in found}
    return sorted(next(each for each in by_key.values() if len(each) > 1), key=lambda each: each.step)


def home(study: Path, address: Address) -> Path:
    (record,) = (study / "store").glob(f"artifacts/*/{address.key}/{address.step}/{address.what}/{RECORD}")
    return record.parent


def exchange(one: Path, other: Path) -> None:
    aside = one.with_name("aside")
    one.rename(aside)
    other.rename(one)
    aside.rename(other)


def whole_artifacts(study: Path, elsewhere: Path) -> None:
    one, other = answers_of(study)[:2]
    exchange(home(study, one), home(study, other))


def bytes_under_renewed_records(study: Path, elsewhere: Path) -> None:
    both = answers_of(study)[:2]
    records = [store_of(study).record(address) for address in both]
    folders = [
        home(study, address) / str(record["attempt"]) for address, record in zip(both, records, strict=True)
    ]
    exchange(*folders)
    for address, record, folder in zip(both, records, folders, strict=True):
        facts = {
            name: value
            for name, value in record.items()
            if name not in ("format", "address", "attempt", "files", "published", "seal")
        }
        (folder.parent / RECORD).write_bytes(write_record(address, folder.name, files_of(folder), facts))


def rows_of_other_cells(study: Path, elsewhere: Path) -> None:
    for path in (elsewhere / "results" / "cells").glob("*.parquet"):
        taken = study / "results" / "cells" / path.name
        assert not taken.exists()
        shutil.copy(path, taken)
        shutil.copy(checksum_file(path), checksum_file(taken))


def rows_of_the_same_cells(study: Path, elsewhere: Path) -> None:
    for path in (study / "results" / "cells").glob("*.parquet"):
        path.unlink()
    rows_of_other_cells(study, elsewhere)


def half_a_store(study: Path, elsewhere: Path) -> None:
    paths = sorted(path for path in (study / "store" / "artifacts").rglob("*") if path.is_file())
    for path in paths[len(paths) // 2 :]:
        path.unlink()
    half = paths[len(paths) // 2 - 1]
    half.write_bytes(half.read_bytes()[: half.stat().st_size // 2])


MIXES: dict[str, tuple[Callable[[Path, Path], None], dict[str, Any]]] = {
    "two artifacts exchanged, each with its record": (whole_artifacts, {}),
    "rows of another study's cells among the rows": (rows_of_other_cells, {"seed": [5]}),
    "rows of another study with the same cells in place of its own": (
        rows_of_the_same_cells,
        {
            "relearn": {"learning_rate": 3e-2, "batch_size": 3},
            "unlearn": {"learning_rate": 5e-2, "batch_size": 3},
        },
    ),
    "a store of which half was copied": (half_a_store, {}),
}


@pytest.fixture
def with_another(finished, tmp_path: Path) -> Callable[[dict[str, Any]], tuple[Path, Path]]:
    """A study, and another one with these changes."""

    def make(changes: dict[str, Any]) -> tuple[Path, Path]:
        other = finished(**{**FIELDS, **changes}).rename(tmp_path / "other")
        return finished(**FIELDS), other

    return make


@pytest.mark.parametrize(
    ("mix", "other"),
    [
        pytest.param(*what, id=name, marks=[pytest.mark.fault(name), *([pytest.mark.slow] if index else [])])
        for index, (name, what) in enumerate(MIXES.items())
    ],
)
@pytest.mark.usefixtures("without_ray")
def test_what_does_not_belong_together_is_found_and_repaired(
    with_another,
    undisturbed,
    fault: Fault,
    tmp_path: Path,
    mix: Callable[[Path, Path], None],
    other: dict[str, Any],
) -> None:
    study, elsewhere = with_another(other)
    mix(study, elsewhere)
    fault.inject()
    code, output = call("verify", "s", cwd=tmp_path)
    assert code == 5, output
    code, output = call("verify", "s", "--repair", cwd=tmp_path)
    assert code == 0, output
    code, output = call("resume", "s", cwd=tmp_path)
    assert code == 0, output
    fault.check(study, undisturbed(**FIELDS), code=code, repeated=8)


@pytest.mark.fault("answers exchanged, and their records renewed")
def test_answers_under_renewed_records(finished, fault: Fault, tmp_path: Path) -> None:
    """No sum is wrong then: the rows tell, which were read off the right ones."""
    study = finished(**FIELDS)
    bytes_under_renewed_records(study, study)
    fault.inject()
    code, output = call("verify", "s", cwd=tmp_path)
    assert (code, "rows that do not follow from the answers" in output) == (5, True), output
    bytes_under_renewed_records(study, study)
    code, output = call("verify", "s", cwd=tmp_path)
    assert code == 0, output


@pytest.mark.slow
@pytest.mark.fault("two stores copied into one")
@pytest.mark.usefixtures("without_ray")
def test_two_stores_are_merged(with_another, space, undisturbed, fault: Fault, tmp_path: Path) -> None:
    """Each trajectory that both have keeps the record that came first; the bytes of the other are of no account."""
    study, other = with_another({"depth": [2, 3]})
    for path in sorted((other / "store").rglob("*")):
        taken = study / "store" / path.relative_to(other / "store")
        if path.is_file() and not taken.exists():
            taken.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, taken)
    fault.inject()
    code, output = call("verify", "s", cwd=tmp_path)
    assert (code, "0 problems" in output) == (0, True), output
    grown = {**FIELDS, "depth": [1, 2, 3]}
    code, output = call("run", space(**grown), "--study", "s", cwd=tmp_path)
    assert code == 0, output
    fault.check(study, undisturbed(**grown), code=code)
