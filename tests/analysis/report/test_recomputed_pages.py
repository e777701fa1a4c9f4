"""Every number and sentence of ``results.md`` and of the page, of studies on record and of misleading ones; and every
marked part of docs/RESULTS.md.

They are held against ``tests.analysis.recompute`` and ``tests.analysis.truth``, which read the Parquet alone.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest

import analysis
from analysis.record.recorded_study import on_record
from analysis.report.chapter import chapter
from analysis.report.measured_study import MeasuredStudy
from analysis.report.overview import overview
from analysis.report.page import render_markdown
from tests.analysis.adversarial.cases import CASES, NO_ZERO_HAS_A_SIGN
from tests.analysis.recompute.chapter import check_prediction, check_sections, check_together
from tests.analysis.recompute.lead import check_begun
from tests.analysis.recompute.page import check, check_table
from tests.analysis.recompute.record import check_mark, marks
from tests.analysis.recompute.same import blocks_of
from tests.analysis.recompute.source import Source, source_of

DOCS = Path(__file__).parents[3] / "docs"
RECORDED = sorted(path.parent.name for path in DOCS.glob("*/study.json"))
FEW_NUMBERS = 40
"""A page has more than these, that of six cells too; fewer were compared only if its tables were not found."""


def _compared(study: MeasuredStudy) -> int:
    source = source_of(study.folder, str(study.content["axes"]["scenario"][0]), study.headline.metric)
    made = chapter(study, study.name, "one")
    text = render_markdown(made)
    assert not re.search(NO_ZERO_HAS_A_SIGN, text)
    for name in {
        str(each) for column in ("model", "method", "corpus") for each in study.cells[column].unique()
    }:
        changed = f"{name[0].swapcase()}{name[1:]}"
        assert len(name) == 1 or not re.search(rf"(?<!\w){re.escape(changed)}(?!\w)", text), (
            "no identifier is changed in case"
        )
    return check(source, text) + check_sections(source, made.sections)


SOON = {"names-smollm2-seeds": (), "whp-verbatim-smollm2-float32": pytest.mark.further}
"""Several seeds, graded scores: the others are asked by `make test-all`, `names` too, which takes longer than all
of this file in CI."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=SOON.get(name, pytest.mark.slow)) for name in RECORDED]
)
def test_every_number_of_a_recorded_study_is_recomputed(name: str) -> None:
    with on_record(DOCS / name) as study:
        assert _compared(MeasuredStudy.of(study)) > FEW_NUMBERS


OF_A_TABLE = (
    r"^The flow",
    r"^Net recovery",
    r"^Statements",
    r"^Each trajectory",
    r"^Effects on",
    r"^Coefficients on the logit",
    r"^The controls",
    r"^Each corpus",
    r"^Paired differences",
    r"the paper's numbers",
    r"the paper's claims",
    r"^Relearned on prefix",
    r"of the unlearned model, and after",
)


@pytest.mark.slow
@pytest.mark.parametrize("pattern", OF_A_TABLE)
def test_a_number_that_is_changed_by_hand_is_found(pattern: str, page: tuple[Source, str]) -> None:
    """In every column of every table the first number, made larger by 7."""
    source, text = page
    ((caption, block),) = [each for each in blocks_of(text) if re.search(pattern, each[0])]
    check_table(source, caption, block)
    head, rule, *rows = block.splitlines()
    for column in range(1, head.count("|")):
        at, cells = next(
            ((at, row.split("|")) for at, row in enumerate(rows) if re.search(r"\d", row.split("|")[column])),
            (0, []),
        )
        if not cells:
            continue
        changed = re.sub(r"\d+(?=(\.\d+)?\D*$)", lambda found: str(int(found[0]) + 7), cells[column], count=1)
        other = [*rows[:at], "|".join([*cells[:column], changed, *cells[column + 1 :]]), *rows[at + 1 :]]
        with pytest.raises((AssertionError, ValueError, KeyError, StopIteration)):
            check_table(source, caption, "\n".join([head, rule, *other]))


@pytest.mark.further
def test_a_number_of_a_sentence_that_is_changed_by_hand_is_found(page: tuple[Source, str]) -> None:
    """Every number before the first table but those of the study's name, made larger by some."""
    source, text = page
    begun = text.partition("\n\n## ")[0]
    check_begun(source, begun.split("\n\n"))
    for number in re.finditer(r"\d+", begun):
        if number.start() > begun.index("\n"):
            changed = f"{begun[: number.start()]}{int(number[0]) + 7}{begun[number.end() :]}"
            with pytest.raises(AssertionError):
                check_begun(source, changed.split("\n\n"))


@pytest.fixture(scope="module")
def page() -> Iterator[tuple[Source, str]]:
    with on_record(DOCS / "names-smollm2-seeds") as study:
        measured = MeasuredStudy.of(study)
        source = source_of(study.folder, "names", measured.headline.metric)
        yield source, render_markdown(chapter(measured, study.name, "one"))


OF_ONE_DEVICE = [name for name, case in CASES.items() if case.device is None]
"""The page of several devices has a chapter for each: tests/analysis/test_devices.py."""
SOON_MISLEADING = {
    "control-dirty-on-gibberish": (),
    "fewer-steps-on-one-corpus": (),
    "no-original": pytest.mark.further,
    "one-method-destroys": pytest.mark.further,
    "a-judge-that-gives-none-for-some": pytest.mark.further,
    "one-seed-few-titles": pytest.mark.further,
    "a-seed-stopped": pytest.mark.further,
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


MARKS = marks((DOCS / "RESULTS.md").read_text(encoding="utf-8"))
OF_SOON = {
    "names-smollm2-seeds": (),
    "whp-verbatim-smollm2": pytest.mark.further,
    "tofu-smollm2": pytest.mark.further,
}


@pytest.fixture(scope="module")
def source() -> Iterator[Callable[[str], Source]]:
    with ExitStack() as opened:

        @cache
        def read(name: str) -> Source:
            study = opened.enter_context(on_record(DOCS / name))
            return source_of(study.folder, str(study.content["axes"]["scenario"][0]), study.headline.metric)

        yield read


@pytest.mark.parametrize(
    "mark",
    [
        pytest.param(
            mark,
            id=" ".join((",".join(mark[0]), mark[1], *mark[2])),
            marks=OF_SOON.get(mark[0][0], pytest.mark.slow),
        )
        for mark in MARKS
    ],
)
def test_every_marked_part_of_the_results_is_recomputed(
    mark: tuple[tuple[str, ...], str, tuple[str, ...], str], source: Callable[[str], Source]
) -> None:
    names, kind, words, text = mark
    compared = check_mark({name: source(name) for name in names}, kind, words, text)
    assert compared > 0 or kind in ("pictures", "curves_of")


def test_every_mark_of_the_results_is_read() -> None:
    text = (DOCS / "RESULTS.md").read_text(encoding="utf-8")
    known = sum(text.count(f"<!-- {','.join(names)}: ") for names in {each[0] for each in MARKS})
    assert len(MARKS) == known == len(re.findall(r"<!-- [^>]*: ", text))


@pytest.mark.further
def test_what_stands_over_several_studies_is_recomputed(source: Callable[[str], Source]) -> None:
    names = ["names-smollm2", "names-smollm2-float32"]
    with ExitStack() as opened:
        studies = [MeasuredStudy.of(opened.enter_context(on_record(DOCS / name))) for name in names]
        sections = {section.anchor: section for section in overview(studies, names)}
    sources = {name: source(name) for name in names}
    check_together(sources, sections["together"])
    check_prediction(sources, sections["foreseen"])
