"""One study's chapter: its sections in the order of a reader's questions, and what cannot be shown, with the reason."""

from collections import Counter
from collections.abc import Callable

from analysis.reading.study_frames import WORDS
from analysis.report.elements import Chapter, Section, Table, table_of
from analysis.report.findings import NOT_CLEAN, sentences, with_link
from analysis.report.lead import lead
from analysis.report.measured_study import MeasuredStudy
from analysis.report.sections.cells import all_cells
from analysis.report.sections.drivers import drivers_section, law_section
from analysis.report.sections.flow import flow_section
from analysis.report.sections.gallery import gallery
from analysis.report.sections.paper import beside_paper
from analysis.report.sections.pictures import contour, controls, curves, ladder, methods, surface
from analysis.report.sections.provenance import provenance
from analysis.report.sections.search import search_section
from analysis.report.sections.verdicts import verdict_section
from study.errors import counted
from study.results.schema import COORDINATES

MOST_SEEDS = 12
MOST_MISSING = 40
"""Missing cells that are listed."""


def missing_section(study: MeasuredStudy) -> Section | None:
    """What failed, and which cells have no rows."""
    missing = study.missing
    if not study.failures and missing.empty:
        return None
    words = [
        " ".join(
            [
                f"{failure['label']}: {failure['cause']}: {failure['message']}".rstrip(".") + ".",
                *([f"What to do: {failure['remedy']}."] if failure.get("remedy") else []),
            ]
        )
        for failure in study.failures
    ]
    tables: tuple[Table, ...] = ()
    if len(missing):
        shown = missing.head(MOST_MISSING)
        more = f"; the first {len(shown)}" if len(missing) > len(shown) else ""
        told = [name for name in COORDINATES if missing[name].nunique() > 1] or list(COORDINATES)
        columns = {name: name not in WORDS for name in told}
        rows = shown.astype(dict.fromkeys(columns, str)).to_dict("records")
        tables = (table_of(columns, rows, f"{len(missing):,} cells have no rows{more}"),)
    return Section("lacking", "What failed, what is missing", tuple(words), tables=tables)


NOT_RELEARNED = "no unlearned model was relearned and scored"
NONE_COUNTS = "no benign relearning is of a model that is known to have known and forgotten"
SECTIONS: tuple[tuple[Callable[[MeasuredStudy], Section | None], str], ...] = (
    (search_section, ""),
    (flow_section, f"Which relearnings count: {NOT_RELEARNED}."),
    (verdict_section, f"What can be said: {NONE_COUNTS}."),
    (surface, f"The surface: {NOT_RELEARNED}."),
    (
        contour,
        "The 50% contour: no unlearned model answers half of the queries after relearning, or too few relearn steps "
        "were run; of a search, its own section has the frontier.",
    ),
    (curves, f"Curves along the relearning: {NOT_RELEARNED}."),
    (drivers_section, "What drives it: no axis varies, or every relearned answer is the same."),
    (
        law_section,
        "The law of corpus, steps and depth: it needs the original model's answers, two seeds, two depths and a dozen "
        "cells of a seed.",
    ),
    (controls, "Controls: no cell starts from the original model, or from one that never learned."),
    (
        methods,
        "A comparison of methods: fewer than two methods have a relearning that counts.",
    ),
    (
        ladder,
        "The corpus ladder: fewer than two corpora have a relearning that counts, or there is "
        "no corpora.parquet.",
    ),
    (
        gallery,
        "A gallery: no answer came back in a relearning that counts, or the texts of the answers are not there.",
    ),
    (beside_paper, "Beside the paper: no cell is there, or the paper has no such experiment."),
    (missing_section, ""),
    (all_cells, "A table of cells: no accepted cell is scored under the headline metric yet."),
    (provenance, ""),
)
"""The sections, and what is said in place of one that its rows cannot show."""


def chapter(study: MeasuredStudy, name: str, anchor: str) -> Chapter:
    """Everything the report says of one study, under a name that no other study of the report has."""
    order = (
        SECTIONS if not study.failures else sorted(SECTIONS, key=lambda each: each[0] is not missing_section)
    )
    found = [(make(study), absence) for make, absence in order]
    absent = [absence for section, absence in found if section is None and absence]
    if not study.by_answers:
        absent.insert(
            0,
            f"Measures of each trajectory and paired differences: {study.why_no_answers}. The band of the contour is "
            "over seeds alone.",
        )
    said = sentences(study)
    warnings = [sentence for sentence in said if sentence.startswith(NOT_CLEAN)]
    return Chapter(
        anchor,
        name,
        str(study.content["spec"].get("question", "")),
        _failed(study),
        " ".join(warnings),
        lead(study, anchor),
        [with_link(sentence, f"{anchor}-flow") for sentence in said if sentence not in warnings],
        _facts(study),
        [section for section, _ in found if section is not None],
        absent,
    )


def _failed(study: MeasuredStudy) -> str:
    """What failed, in one sentence; empty where nothing did."""
    if not study.failures:
        return ""
    causes = Counter(str(failure["cause"]) for failure in study.failures)
    named = ", ".join(f"{count} × {cause}" for cause, count in causes.most_common())
    stages = counted(len(study.failures), "stage")
    missing = len(study.missing)
    kept = f"{missing:,} of {len(study.planned):,} cells have no rows; what follows is of the rest."
    return f"{stages} failed ({named}). {kept}"


def _facts(study: MeasuredStudy) -> list[tuple[str, str]]:
    """What a reader must know of every number: when, with what, of what, and what is not there."""
    content, planned, missing = study.content, len(study.planned), len(study.missing)
    packages = content.get("provenance", {}).get("environment", {}).get("packages", {})
    seeds = sorted(study.planned["seed"].unique())
    kept = (
        f"{missing:,} cells are missing and shown as missing, never as 0" if missing else "nothing is missing"
    )
    found = [
        ("begun", str(content.get("created", ""))[:10]),
        ("relearn", str(packages.get("relearn", ""))),
        ("model", ", ".join(study.models)),
        (
            "seeds",
            f"{len(seeds)} ({', '.join(map(str, seeds[:MOST_SEEDS]))}{', …' if len(seeds) > MOST_SEEDS else ''})",
        ),
        ("cells", f"{planned - missing:,} of {planned:,} cells; {kept}"),
    ]
    return [(name, value) for name, value in found if value]
