"""Where a study keeps its artifacts when nobody says: with its neighbours, and where it did before."""

import re
from pathlib import Path
from typing import Any

import pytest

from cluster.study_folder.lease import hold
from cluster.study_folder.study_folder import StudyFolder, store_of
from search_spaces.loading import load_space
from study.planning.materials import read_materials
from study.planning.planner import make_plan
from study.results.files import write_table
from study.results.schema import CELLS
from tests.commands import call

README = Path(__file__).parents[3] / "README.md"


def begun(folder: Path, plan: Any, store: str) -> Path:
    with hold(folder) as lease:
        StudyFolder(folder).claim(
            lease,
            plan.spec,
            plan,
            models={},
            inputs={},
            store=store,
            space="x",
            overrides=[],
            command=["relearn"],
        )
    return folder


def test_studies_of_one_folder_share_and_others_do_not(tmp_path: Path) -> None:
    shared = str((tmp_path / "studies" / "store").resolve())
    assert store_of(tmp_path / "studies" / "one").location == shared
    assert store_of(tmp_path / "studies" / "two").location == shared
    assert store_of(tmp_path / "mine").location == str((tmp_path / "mine" / "store").resolve())
    assert store_of(tmp_path / "studies" / "store").location != shared, "a study called store is no store"
    assert store_of(tmp_path / "studies" / "one", str(tmp_path / "x")).location == str(
        (tmp_path / "x").resolve()
    )


def test_a_study_begun_with_a_store_of_its_own_keeps_it(planned, tmp_path: Path) -> None:
    old = begun(tmp_path / "studies" / "old", planned(), "store")
    assert store_of(old).location == str((old / "store").resolve())
    (tmp_path / "studies" / "half" / "store" / "artifacts").mkdir(parents=True)
    assert store_of(tmp_path / "studies" / "half").location.endswith("half/store")


@pytest.mark.parametrize("what", ["the folder of studies", "one study alone"])
def test_a_moved_study_finds_its_store(planned, tmp_path: Path, what: str) -> None:
    shared = tmp_path / "studies" / "store"
    shared.mkdir(parents=True)
    folder = begun(tmp_path / "studies" / "one", planned(), str(shared.resolve()))
    if what == "one study alone":
        moved = folder.rename(tmp_path / "kept")
        assert store_of(moved).location == str(shared.resolve()), "where it was"
        return
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "studies").rename(tmp_path / "elsewhere" / "studies")
    found = store_of(tmp_path / "elsewhere" / "studies" / "one")
    assert found.location == str((tmp_path / "elsewhere" / "studies" / "store").resolve())


def test_a_store_that_was_moved_away_is_named(planned, tmp_path: Path) -> None:
    """Verbs that need it refuse; those that can do without say it. Where no rows are, nothing was moved."""
    folder = begun(tmp_path / "one", planned(), "store")
    for rows in (False, True):
        if rows:
            (folder / "results" / "cells").mkdir(parents=True)
            write_table(CELLS.empty_table(), folder / "results" / "cells" / "x.parquet")
        code, output = call("checkpoints", folder, cwd=tmp_path)
        assert ("is not there" in output) is rows
        assert code == (2 if rows else 0)
    for verb, given, refused in (
        ("verify", [], True),
        ("verify", ["--store", "typo"], True),
        ("serve", [], True),
        ("status", [], False),
        ("status", ["--store", "typo"], False),
    ):
        code, output = call(verb, folder, *given, cwd=tmp_path)
        assert code == (2 if refused else 0), output
        assert re.search(rf"{'typo' if given else 'store'}, the store of \S+one, is not there", output), (
            output
        )
        assert "--store NEW" in output
    assert not (tmp_path / "typo").exists()
    (folder / "store").mkdir()
    assert "is not there" not in call("status", folder, cwd=tmp_path)[1]


def test_what_one_study_computed_the_next_has(work_through, planned, space, tmp_path: Path) -> None:
    """The plan of a second study in the same folder finds every stage of the first."""
    store = store_of(tmp_path / "studies" / "first")
    store.prepare()
    work_through(planned(), store)
    path = space()
    code, output = call("plan", path, "--study", tmp_path / "studies" / "second", cwd=tmp_path)
    assert code == 0, output
    stages = len(planned().stages)
    assert re.search(rf"published already\s+{stages} stages", output), output


def test_the_readme_s_second_study_is_a_part_of_its_first() -> None:
    """``studies/mine`` asks for no stage that ``make study`` has not computed, and both share a store."""
    whole, mine = (
        make_plan(read_materials(load_space("names", overrides)), lambda model: pytest.fail(model))
        for overrides in ([], ["depth=[8,12]", "seed=0"])
    )
    assert "--set 'depth=[8,12]' --set seed=0 --study studies/mine" in README.read_text(encoding="utf-8")
    assert set(mine.stages) < set(whole.stages)
    assert store_of(Path("studies/mine")).location == store_of(Path("studies/names")).location
