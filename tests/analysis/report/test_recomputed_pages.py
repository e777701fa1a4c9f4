"""Every number of ``results.md`` and every sentence of it, of the recorded studies and of the misleading ones.

They are held against ``tests.analysis.recompute`` and ``tests.analysis.truth``, which read the Parquet alone.
"""

import re
from pathlib import Path

import pytest

import analysis
from analysis.record.recorded_study import on_record
from analysis.report.chapter import chapter
from analysis.report.findings import sentences
from analysis.report.measured_study import MeasuredStudy
from analysis.report.page import render_markdown
from tests.analysis.adversarial.cases import CASES, NO_ZERO_HAS_A_SIGN
from tests.analysis.recompute.page import check
from tests.analysis.recompute.source import source_of
from tests.analysis.truth.sentences import check as check_sentence

DOCS = Path(__file__).parents[3] / "docs"
RECORDED = sorted(path.parent.name for path in DOCS.glob("*/study.json"))
FEW_NUMBERS = 40
"""A page has more than these, that of six cells too; fewer were compared only if its tables were not found."""


def _compared(study: MeasuredStudy) -> int:
    source = source_of(study.folder, str(study.content["axes"]["scenario"][0]), study.headline.metric)
    for sentence in sentences(study):
        check_sentence(source.truth, sentence)
    text = render_markdown(chapter(study, study.name, "one"))
    assert not re.search(NO_ZERO_HAS_A_SIGN, text)
    for name in {
        str(each) for column in ("model", "method", "corpus") for each in study.cells[column].unique()
    }:
        changed = f"{name[0].swapcase()}{name[1:]}"
        assert len(name) == 1 or not re.search(rf"(?<!\w){re.escape(changed)}(?!\w)", text), (
            "no identifier is changed in case"
        )
    return check(source, text)


SOON = {"names-smollm2-seeds": (), "whp-verbatim-smollm2-float32": pytest.mark.further}
"""Several seeds, graded scores: the others are asked by `make test-all`, `names` too, which takes longer than all
of this file in CI."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=SOON.get(name, pytest.mark.slow)) for name in RECORDED]
)
def test_every_number_of_a_recorded_study_is_recomputed(name: str) -> None:
    with on_record(DOCS / name) as study:
        assert _compared(MeasuredStudy.of(study)) > FEW_NUMBERS


OF_ONE_DEVICE = [name for name, case in CASES.items() if case.device is None]
"""The page of several devices has a chapter for each: tests/analysis/test_devices.py."""
SOON_MISLEADING = {
    "control-dirty-on-gibberish": (),
    "fewer-steps-on-one-corpus": (),
    "no-original": pytest.mark.further,
    "one-method-destroys": pytest.mark.further,
    "a-judge-that-gives-none-for-some": pytest.mark.further,
    "one-seed-few-titles": pytest.mark.further,
}
"""A control that is not clean, unequal steps, nothing to compare with, two methods, a judge's ratings of which some
lack, titles in one seed: the others differ in their rates or lack a seed, and `make test-all` asks them."""


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=SOON_MISLEADING.get(name, pytest.mark.slow)) for name in OF_ONE_DEVICE],
)
def test_every_number_of_a_misleading_study_is_recomputed(name: str, tmp_path: Path) -> None:
    study = analysis.load(CASES[name].study.write(tmp_path / name))
    _compared(MeasuredStudy.of(study.parts[0]))
