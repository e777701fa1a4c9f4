"""Several studies in one report: what each asks and answers, side by side, and what differs between them."""

from dataclasses import replace

from analysis.measures.before_and_after import relearned
from analysis.measures.surface import select
from analysis.reading.study_frames import Studies, Study
from analysis.report.drivers_section import driving, foreseen
from analysis.report.sections import Section, Table, percent
from study.results.spec_entries import differences


def together(studies: list[Study], names: list[str]) -> list[Section]:
    """The sections before the chapters; none for one study. Names are those of the chapters."""
    if len(studies) < 2:
        return []
    every = Studies(tuple(studies))
    return [_overview(studies, names), _differences(studies, names), *_over_all(every)]


def _over_all(studies: Studies) -> list[Section]:
    """What can be said over all of them; drivers only where they are judged by one metric."""
    same = len({part.headline.metric for part in studies.parts}) == 1
    found = driving(studies) if same else None
    shared = [replace(found, title="What drives it, over all studies")] if found is not None else []
    return [*shared, foreseen(studies)]


def _overview(studies: list[Study], names: list[str]) -> Section:
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
        "own space, metric and rule: rows are beside each other and are not added up.",
    )
    rows = [_line(study, name) for study, name in zip(studies, names, strict=True)]
    return Section("together", "The studies beside each other", words, tables=(Table(columns, rows),))


def _line(study: Study, name: str) -> tuple[str, ...]:
    last = relearned(study)
    benign = last[last["benign"]] if len(last) else last
    kept = benign[benign["was_unlearned"]] if len(benign) else benign
    full = study.headline.percent
    control = select(study.cells, study.headline.metric, start="never_learned")
    control = control[control["benign"]]
    return (
        name,
        ", ".join(map(str, study.content["axes"]["scenario"])),
        ", ".join(study.models),
        study.headline.words,
        study.summary(),
        f"{len(kept)} of {len(benign)} trajectories",
        percent(full(kept["unlearned_asr"].mean())) if len(kept) else "–",
        percent(full(kept["value"].mean())) if len(kept) else "–",
        percent(full(control["value"].max())) if len(control) else "–",
    )


def _differences(studies: list[Study], names: list[str]) -> Section:
    """A line per entry of the specs that is not the same in all."""
    found = differences(*(study.content["spec"] for study in studies))
    rows = [row for row in found if row[0] not in ("name", "question")]
    columns = (("in the spec", False), *((name, False) for name in names))
    words = ("Everything that is not listed is the same in all.",)
    return Section("differences", "What differs in their specs", words, tables=(Table(columns, rows),))
