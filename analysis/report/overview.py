"""Several studies in one report: what each asks and answers, side by side, and what differs between them."""

from dataclasses import replace

from analysis.measures.recovery.flow import STAGES, flow_line, told
from analysis.reading.studies import Studies
from analysis.report.access import access_section
from analysis.report.elements import Section, Table
from analysis.report.measured_study import MeasuredStudy
from analysis.report.sections.drivers import drivers_section, prediction_section
from study.results.spec_entries import differences


def overview(studies: list[MeasuredStudy], names: list[str]) -> list[Section]:
    """The sections before the chapters; none for one study. Names are those of the chapters."""
    if len(studies) < 2:
        return []
    found = [_side_by_side(studies, names), _differences(studies, names)]
    access = access_section(studies, names)
    found += [access] if access is not None else []
    every = Studies(tuple(studies))
    if len({study.location.given for study in studies}) < len(studies):
        return found  # what one study has of two devices is neither pooled nor a study not seen
    if len({study.headline.metric for study in studies}) == 1:
        drivers = drivers_section(every)
        found += [replace(drivers, title="What drives it, over all studies")] if drivers is not None else []
    return [*found, prediction_section(every)]


def _side_by_side(studies: list[MeasuredStudy], names: list[str]) -> Section:
    columns = (
        ("study", False),
        ("scenario", False),
        ("model", False),
        ("method", False),
        ("metric", False),
        ("cells", False),
        ("relearnings", True),
        ("known", True),
        ("forgotten", True),
        ("intact", True),
        ("recovered", True),
        ("recovered, intact or not", True),
    )
    words = (
        "The flow of the benign relearnings of each model and method, over repetitions, depths, corpora and "
        "seeds: of a "
        "model that knew; that had forgotten; that kept its utility; and that recovered. Each study keeps its "
        "own space, "
        "metric and rule: rows stand side by side and are not added up.",
    )
    rows = [row for study, name in zip(studies, names, strict=True) for row in _rows(study, name)]
    return Section("together", "The studies side by side", words, tables=(Table(columns, rows),))


def _rows(study: MeasuredStudy, name: str) -> list[tuple[str, ...]]:
    """One for each model and method; one without numbers where nothing was relearned."""
    benign = study.flow[study.flow["benign"]]
    scenario = ", ".join(map(str, study.content["axes"]["scenario"]))
    if benign.empty:
        return [
            (name, scenario, ", ".join(study.models), "–", study.headline.words, study.summary(), *["–"] * 6)
        ]
    counted = flow_line(benign, ["model", "method"]).to_dict("records")
    return [
        (
            name,
            scenario,
            row["model"],
            row["method"],
            study.headline.words,
            study.summary(),
            f"{row['relearnings']:,}",
            *(told(row, stage) for stage in STAGES),
            f"{row['any_recovered']:,}",
        )
        for row in counted
    ]


def _differences(studies: list[MeasuredStudy], names: list[str]) -> Section:
    columns = (("in the spec", False), *((name, False) for name in names))
    found = differences(*(study.content["spec"] for study in studies))
    rows = [row for row in found if row[0] not in ("name", "question")]
    words = ("Every entry that is not listed is the same in all.",)
    return Section("differences", "What differs in their specs", words, tables=(Table(columns, rows),))
