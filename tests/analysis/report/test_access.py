"""What an attacker through an API loses: known losses come out, and studies alike are not compared."""

import json
from pathlib import Path
from typing import Any

import analysis
from analysis.report.access import access_section
from tests.analysis.invented import HEIGHT, Invented, Place, comes_back


def weaker(place: Place) -> float:
    """Half as much comes back as with the weights."""
    return comes_back(place, HEIGHT[place["corpus"]] / 2)


def written(folder: Path, relearn: dict[str, Any], **changes: Any) -> Path:
    folder.mkdir()
    study = Invented(depths=(8,), steps=(0, 40), probes=True, **changes).write(folder)
    content = json.loads((study / "study.json").read_text())
    content["spec"]["relearn"] = relearn
    (study / "study.json").write_text(json.dumps(content))
    return study


def test_what_is_lost_is_told_with_its_interval(tmp_path: Path) -> None:
    served = {"by": "jobs", "left_to_the_service": ["epochs"]}
    folders = [
        written(tmp_path / "open", {"learning_rate": 1e-3}),
        written(tmp_path / "served", served, unlearned=weaker),
    ]
    section = access_section([analysis.load(each) for each in folders], ["open", "served"])
    assert section is not None
    (table,) = section.tables
    names = [name for name, _ in table.columns]
    assert names == ["corpus", "open", "served", "difference", "difference, from", "difference, to", "seeds"]
    rows = {row[0]: row for row in table.rows}
    assert list(rows["prefix"][1:4]) == ["75.0%", "37.5%", "-37.5"]
    assert float(str(rows["prefix"][5])) < 0
    assert rows["gibberish"][3] == "+0.0"
    assert (
        "left to the service: epochs, learning_rate, adapter" in section.words[1]
        and "below 0 in 2 and above 0 in none" in section.words[1]
    )


def test_two_studies_with_the_weights_are_not_compared_here(tmp_path: Path) -> None:
    folders = [written(tmp_path / name, {}) for name in ("a", "b")]
    assert access_section([analysis.load(each) for each in folders], ["a", "b"]) is None
