"""The report: one self-contained HTML file over one study or several, which a reader can follow without the code.

It opens from a mail attachment: pictures are SVG within it, its one script sorts tables and shows the words of a mark,
and a Content-Security-Policy forbids everything else, the network included. Beside it lie the pictures as PNG for
papers and slides, and ``results.md`` with the central tables. What a study's rows do not say is named, not left blank.
"""

from collections.abc import Sequence
from pathlib import Path

from analysis.charts.png import png
from analysis.reading.study_frames import Study, load
from analysis.report.chapter import chapter
from analysis.report.overview import together
from analysis.report.page import markdown, page
from study.errors import SpecError


def write_report(folders: str | Path | Sequence[str | Path], to: Path | None = None) -> Path:
    """Writes the page, its pictures and ``results.md``.

    Args:
        folders: of the studies, or addresses as for ``analysis.load``; one chapter each.
        to: where; else ``DIR/report`` of one study, and a folder ``report`` beside the first of several.

    Returns:
        The page.

    Raises:
        SpecError: a folder is no study, or stands there twice; or it is an address and ``to`` is missing.
    """
    places = [folders] if isinstance(folders, str | Path) else list(folders)
    if not places:
        raise SpecError("nothing to report: give a study's folder, or several")
    read = load(*places)
    studies = list(read.parts)
    target = to if to is not None else _beside(studies)
    target.mkdir(parents=True, exist_ok=True)
    names = _names(studies)
    chapters = [
        chapter(study, name, f"study-{index + 1}")
        for index, (study, name) in enumerate(zip(studies, names, strict=True))
    ]
    for found in chapters:
        pictures = target if len(chapters) == 1 else target / found.anchor
        pictures.mkdir(exist_ok=True)
        for chart in found.charts:
            (pictures / f"{chart.name}.png").write_bytes(png(chart))
        (pictures / "results.md").write_text(markdown(found), encoding="utf-8")
    written = target / "index.html"
    written.write_text(page(chapters, together(studies, names)), encoding="utf-8")
    return written


def _beside(studies: list[Study]) -> Path:
    first = studies[0].folder
    return first / "report" if len(studies) == 1 else first.parent / "report"


def _names(studies: list[Study]) -> list[str]:
    """A name for each chapter: that of the spec, and where two have the same, where each lies."""
    names = [str(study.content["spec"]["name"]) for study in studies]
    return [
        name if names.count(name) == 1 else f"{name} ({study.name})"
        for name, study in zip(names, studies, strict=True)
    ]
