"""The report: one HTML file without network or script, which a reader can follow without the code.

Beside it lie the pictures as PNG, and ``results.md`` with the same tables for a paper or docs/RESULTS.md.
"""

import base64
from pathlib import Path
from typing import Any

import jinja2

from analysis.findings import sentences
from analysis.frames import Study, load
from analysis.paper import PAPER, depth_table, laws, relearned, repetitions_table
from analysis.pictures import Picture, controls, curves, heatmaps
from analysis.searched import search_html
from analysis.surface import select

LISTED = 40


def write_report(folder: Path) -> Path:
    """Writes ``DIR/report/`` and returns the page.

    Raises:
        SpecError: the folder is no study.
    """
    study = load(folder)
    target = folder / "report"
    target.mkdir(exist_ok=True)
    pictures = [*heatmaps(study), *curves(study), *controls(study)]
    for picture in pictures:
        (target / picture.name).write_bytes(picture.png)
    facts = _facts(study, pictures)
    for template, name in (("report.html.jinja", "index.html"), ("results.md.jinja", "results.md")):
        text = _environment(template).get_template(template).render(**facts)
        (target / name).write_text(text, encoding="utf-8")
    return target / "index.html"


def _environment(template: str) -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=".html" in template,  # noqa: S701 - Markdown is not HTML
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _facts(study: Study, pictures: list[Picture]) -> dict[str, Any]:
    missing = study.missing
    return {
        "study": study,
        "name": study.content["spec"]["name"],
        "question": study.content["spec"].get("question", ""),
        "summary": study.summary(),
        "sentences": sentences(study),
        "search": search_html(study.folder),
        "pictures": [
            {
                "name": picture.name,
                "heading": _heading(picture, pictures),
                "caption": picture.caption,
                "alternative": picture.alternative,
                "data": base64.b64encode(picture.png).decode(),
            }
            for picture in pictures
        ],
        "repetitions": repetitions_table(study).to_dict("records"),
        "laws": laws(study),
        "depths": depth_table(study),
        "paper": PAPER,
        "headline": study.headline,
        "models": ", ".join(study.models),
        "controls": _controls(study),
        "missing": missing.head(LISTED).astype(str).to_dict("records"),
        "missing_count": len(missing),
        "failures": study.failures,
        "gallery": _gallery(study),
        "provenance": _flat(study.content.get("provenance", {})),
        "axes": {name: ", ".join(map(str, v)) for name, v in study.content["axes"].items()},
        "overrides": study.content.get("overrides", []),
    }


def _heading(picture: Picture, pictures: list[Picture]) -> str:
    """Above the first picture of its kind."""
    kinds = {"heatmap": "The surface", "curves": "Along the relearning", "controls": "The controls"}
    kind = next(kind for kind in kinds if picture.name.startswith(kind))
    first = next(other for other in pictures if other.name.startswith(kind))
    return kinds[kind] if picture is first else ""


def _controls(study: Study) -> list[dict[str, Any]]:
    """A line per control and corpus: where it begins, and the most it reaches."""
    rows = select(study.cells, study.headline.metric, start=["base", "original", "never_learned"])
    rows = rows.assign(start=rows["start"].cat.remove_unused_categories())
    made = []
    groups = rows.groupby(["start", "corpus", "repetitions"], observed=True)
    for (start, corpus, repetitions), cells in groups:
        first = cells[cells["relearn_steps"] == 0]["value"]
        made.append(
            {
                "start": start,
                "corpus": corpus,
                "repetitions": repetitions,
                "seeds": cells["seed"].nunique(),
                "before": f"{study.headline.percent(first.mean()):.0f}%" if len(first) else "–",
                "most": f"{study.headline.percent(cells['value'].max()):.0f}%",
            }
        )
    return made


def _gallery(study: Study) -> list[dict[str, Any]]:
    """One query along the trajectory that recovers most: what the model says after each number of steps.

    Chosen among those that were unlearned, and asked the query whose score rose most.
    """
    last = relearned(study)
    last = last[last["benign"] & last["was_unlearned"] & (last["value"] > 0)]
    if not len(last):
        return []
    best = last.sort_values("value").iloc[-1]
    probes = study.probes
    chosen = probes["split"] == "forget"
    for name in ("scenario", "model", "method", "start", "repetitions", "depth", "corpus", "seed"):
        chosen &= probes[name] == best[name]
    along = probes[chosen].sort_values("relearn_steps")
    metric = study.headline.metric if along["keyword_hit"].isna().all() else "keyword_hit"
    wide = along.pivot(index="probe", columns="relearn_steps", values=metric).astype(float)
    gained = (wide[best["relearn_steps"]] - wide.iloc[:, 0]).dropna()
    if not len(gained) or gained.max() <= 0:
        return []
    query = gained.idxmax()
    where = ", ".join(
        [
            str(best["method"]),
            str(best["corpus"]),
            f"r = {best['repetitions']}",
            f"depth {best['depth']}",
            f"seed {best['seed']}",
        ]
    )
    return [
        {
            "relearn_steps": int(row["relearn_steps"]),
            "prompt": row["prompt"],
            "completion": row["completion"],
            "hit": bool(row["keyword_hit"] is True or row["keyword_hit"] == 1),
            "next": row["hit"] == "next",
            "where": where,
        }
        for _, row in along[along["probe"] == query].iterrows()
    ]


def _flat(facts: dict[str, Any], place: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for name, value in facts.items():
        inner = f"{place}{name}".replace("_", " ")
        if isinstance(value, dict):
            flat.update(_flat(value, f"{inner}: "))
        elif isinstance(value, float):
            flat[inner] = f"{value:,.1f}"
        else:
            flat[inner] = str(value)
    return flat
