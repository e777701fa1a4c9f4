"""docs/: the site builds without a broken link, and the picture of the rooms is one that can be drawn."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


def module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def test_the_site_has_no_broken_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In strict mode, with an empty page in place of each sample report: those have tests of their own."""
    from mkdocs.commands.build import build
    from mkdocs.config import load_config

    def empty(_: list[str], to: Path) -> Path:
        to.mkdir(parents=True)
        (to / "index.html").write_text("<!doctype html><title>a report</title>")
        return to / "index.html"

    monkeypatch.setattr("analysis.report.write_report", empty)
    build(load_config(str(ROOT / "mkdocs.yml"), site_dir=str(tmp_path / "site")))
    pages = {page.stem for page in (tmp_path / "site").glob("*.html")}
    assert pages == {page.stem for page in (ROOT / "docs").glob("*.md")} | {"404"}
    assert (tmp_path / "site" / "sample-report" / "names" / "index.html").is_file()


def test_a_broken_link_ends_the_build(tmp_path: Path) -> None:
    from mkdocs.commands.build import build
    from mkdocs.config import load_config
    from mkdocs.exceptions import Abort

    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text("[a page that is not there](GONE.md)")
    config = load_config(
        str(ROOT / "mkdocs.yml"),
        docs_dir=str(tmp_path / "docs"),
        site_dir=str(tmp_path / "site"),
        nav=["index.md"],
        hooks=[],
    )
    with pytest.raises(Abort):
        build(config)


def test_every_room_can_be_drawn_floor_by_floor() -> None:
    """An arrow that runs up, or a circle of imports, has no place in the picture."""
    house = module("house")
    found = house.rooms(ROOT)
    for room in found:
        floor = {entry: number for number, row in enumerate(room.floors) for entry in row}
        assert set(floor) == room.entries
        assert all(floor[high] > floor[low] for high, low in room.arrows)
    boxes = house.picture(found).count('<rect class="box"')
    assert boxes == sum(len(room.entries) for room in found)


def test_the_picture_is_put_between_the_marks() -> None:
    house = module("house")
    room = house.Room("study", frozenset({("a", "b"), ("b", "c"), ("a", "c")}), frozenset("abc"))
    assert room.counts == (3, 3, 3)
    assert room.through_others("a", "c")
    assert not room.through_others("a", "b")
    page = house.page("x\n<!-- house -->\nold\n<!-- end -->\ny", [room])
    assert "| `study/` | 41 | 3 | 11 | 3 | 114 | 3 |" in page
    assert "old" not in page
    assert page.startswith("x\n<!-- house -->")
    assert page.endswith("<!-- end -->\ny")
