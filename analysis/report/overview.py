"""Several studies in one report: what each asks and answers, side by side, and what differs between them."""

from dataclasses import replace

from analysis.reading.studies import Studies
from analysis.report.elements import Section, Table, percent
from analysis.report.measured_study import MeasuredStudy
from analysis.report.sections.drivers import drivers_section, prediction_section
from study.results.spec_entries import differences


def overview(studies: list[MeasuredStudy], names: list[str]) -> list[Section]:
    """The sections before the chapters; none for one study. Names are those of the chapters."""
    if len(studies) < 2:
        return []
    found = [_side_by_side(studies, names), _differences(studies, names)]
    every = Studies(tuple(studies))
    if len({study.headline.metric for study in studies}) == 1:
        drivers = drivers_section(every)
        found += [replace(drivers, title="What drives it, over all studies")] if drivers is not None else []
    return [*found, prediction_section(every)]


def _side_by_side(studies: list[MeasuredStudy], names: list[str]) -> Section:
    columns = (
        ("study", False),
        ("scenario", False),
        ("model", False),
        ("metric", False),
        ("cells", False),
        ("counts as unlearned", True),
        ("before relearning", True),
        ("after", True),
        ("never learned, most", True),
    )
    words = (
        "Means over the benign trajectories that count as unlearned, at the last relearn step. Each study keeps its "
        "own space, metric and rule: rows stand side by side and are not added up.",
    )
    rows = [_row(study, name) for study, name in zip(studies, names, strict=True)]
    return Section("together", "The studies side by side", words, tables=(Table(columns, rows),))


def _row(study: MeasuredStudy, name: str) -> tuple[str, ...]:
    benign = study.relearned[study.relearned["benign"]]
    kept = benign[benign["was_unlearned"]]
    rates = (kept["unlearned_asr"].mean(), kept["value"].mean(), study.control_cells["value"].max())
    return (
        name,
        ", ".join(map(str, study.content["axes"]["scenario"])),
        ", ".join(study.models),
        study.headline.words,
        study.summary(),
        f"{len(kept)} of {len(benign)} trajectories",
        *(percent(study.headline.percent(rate)) for rate in rates),
    )


def _differences(studies: list[MeasuredStudy], names: list[str]) -> Section:
    columns = (("in the spec", False), *((name, False) for name in names))
    found = differences(*(study.content["spec"] for study in studies))
    rows = [row for row in found if row[0] not in ("name", "question")]
    words = ("Every entry that is not listed is the same in all.",)
    return Section("differences", "What differs in their specs", words, tables=(Table(columns, rows),))
