"""Chapters → HTML and Markdown: Jinja2 with autoescape, one style sheet and one script, both within the page."""

import base64
import hashlib
from pathlib import Path

import jinja2

from analysis.charts.svg import svg
from analysis.report.sections import Chapter, Section

HERE = Path(__file__).parent


def page(chapters: list[Chapter], front: list[Section]) -> str:
    """The whole page.

    Args:
        front: sections over all studies, before the chapters.
    """
    script = (HERE / "page.js").read_text(encoding="utf-8")
    return (
        _environment("page.html.jinja")
        .get_template("page.html.jinja")
        .render(
            chapters=chapters,
            front=front,
            svg=svg,
            style=(HERE / "page.css").read_text(encoding="utf-8"),
            script=script,
            digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        )
    )


def markdown(chapter: Chapter) -> str:
    """``results.md``: the central tables, for a paper or for docs/RESULTS.md."""
    return _environment("results.md.jinja").get_template("results.md.jinja").render(**chapter.facts)


def _environment(template: str) -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=".html" in template,  # noqa: S701 - Markdown is not HTML
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
