"""Chapters as HTML (Jinja2 with autoescape; style sheet and script stand within the page) and as Markdown."""

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import jinja2
from markupsafe import Markup, escape

from analysis.charts.chart import Chart
from analysis.charts.drawing import Drawing
from analysis.charts.drawing.colours import variables
from analysis.report.elements import Chapter, Section, Table

HERE = Path(__file__).parent
TITLE = "when does forgotten knowledge come back?"
"""Within the title of every report's page."""
PRINTED = 1500
"""Rows of a tall table that paper shows: some thirty pages. Of more it says first where all are."""
LONG = 20
"""Letters from which on a name may break."""
LEFT_OUT = ("gallery", "lacking", "provenance")
"""Sections whose tables are in the page alone."""


def render_page(chapters: list[Chapter], front: list[Section], drawings: Mapping[Chart, Drawing]) -> str:
    """The whole page.

    Args:
        front: sections over all studies, before the chapters.
        drawings: of every chart in them.
    """
    script = (HERE / "page.js").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"coded": _coded, "breakable": _breakable}
    return environment.get_template("page.html.jinja").render(
        chapters=chapters,
        front=front,
        drawings=drawings,
        title=TITLE,
        style=(HERE / "page.css").read_text(encoding="utf-8"),
        script=script,
        on_light=variables(),
        on_dark=variables(dark=True),
        printed=PRINTED,
        digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def render_markdown(chapter: Chapter) -> str:
    """``results.md``: what the chapter says, and its tables but for those of single cells and of provenance."""
    facts = "; ".join(f"{name}: {value}" for name, value in chapter.facts)
    said = [_untagged(sentence) for sentence in (*chapter.lead, *chapter.sentences)]
    parts = [
        f"# {chapter.name}",
        chapter.question,
        chapter.failed,
        chapter.warning,
        *said,
        f"{facts}.",
    ]
    for section in chapter.sections:
        tables = [table for table in section.tables if not table.tall]
        if tables and section.anchor not in LEFT_OUT:
            parts += [f"## {section.title}", *(text for table in tables for text in _table(table))]
    return "\n\n".join(part for part in parts if part) + "\n"


def _coded(words: str | Markup) -> Markup:
    """Words between backticks as code; markup stays."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(words))))  # noqa: S704 - escaped


def _breakable(words: str | Markup) -> str | Markup:
    """A long name without blanks, such as an attack's, which may break behind its commas."""
    if len(words) <= LONG or " " in words or isinstance(words, Markup):
        return words
    return Markup("<wbr>").join(part + "," for part in words.split(","))[: -len(",")]


def markdown_table(head: Sequence[str], rows: Iterable[Iterable[str | Markup]]) -> str:
    """A table of Markdown, a line for each row; markup is left out of the values."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(_plain(value) for value in line)} |\n" for line in lines)


def _table(table: Table) -> list[str]:
    return [table.caption, markdown_table([name for name, _ in table.columns], table.rows).rstrip()]


def _untagged(words: str | Markup) -> str:
    return words.striptags() if isinstance(words, Markup) else words


def _plain(value: str | Markup) -> str:
    return _untagged(value).replace("|", r"\|")
