"""The timeline, against a schedule worked out by hand."""

import itertools
from pathlib import Path

import pytest

from benchmarks.timeline import Bar, bars_of, draw, occupation
from tests.commands import call


@pytest.fixture
def schedule(planned) -> tuple[list[Bar], object]:
    """Base, finetune, unlearn, then two relearnings at once, the second of them a second late."""
    plan = planned(depth=[2], corpus=["prefix", "gibberish"])
    first, second = [key for key, stage in plan.stages.items() if stage.kind == "relearn"]
    alone = [key for key, stage in plan.stages.items() if stage.kind in ("base", "finetune", "unlearn")]
    bars = [Bar(key, "base", 1, 10.0 * index, 10.0 * index + 10) for index, key in enumerate(alone)]
    return [*bars, Bar(first, "relearn", 1, 30, 34), Bar(second, "relearn", 2, 31, 36)], plan


def test_idle_time_is_told_apart(schedule) -> None:
    bars, plan = schedule
    found = occupation(bars, plan)
    assert found.busy == 30 + 4 + 5
    assert (
        found.although_ready == 1
    )  # from 30 to 31 the second slot idles, and the second relearning is ready
    assert found.nothing_ready == 30 + 2  # beside the chain, and after the first relearning's end


def test_bars_come_from_the_log_and_are_drawn(without_ray, space, tmp_path: Path) -> None:
    path = space(depth=[1, 2], corpus=["prefix"])
    code, output = call("run", path, "--study", "s", cwd=tmp_path)
    assert code == 0, output
    bars = bars_of(tmp_path / "s")
    assert [bar.kind for bar in bars[:3]] == ["base", "finetune", "unlearn"]
    assert sorted(bar.kind for bar in bars[3:]) == ["relearn", "relearn"]
    assert bars[0].began == 0
    assert all(before.ended <= after.began + 0.01 for before, after in itertools.pairwise(bars[:3]))
    draw(bars, tmp_path / "timeline.png")
    assert (tmp_path / "timeline.png").read_bytes().startswith(b"\x89PNG")
