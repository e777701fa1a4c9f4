"""The report: one self-contained HTML file over one study or several, which a reader can follow without the code.

It opens from a mail attachment: pictures are SVG within it, its one script sorts tables and shows the words of a mark,
and a Content-Security-Policy forbids everything else, the network included. Beside it lie the pictures as PNG for
papers and slides, and ``results.md`` with the central tables. What a study's rows do not say is named, not left blank.

The folder is whole or absent: a report that is there is replaced when the new one is complete, and a folder that holds
anything else is refused.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from analysis.charts.drawing import Drawing
from analysis.reading.studies import ALL, load
from analysis.report.chapter import chapter
from analysis.report.measured_study import MeasuredStudy
from analysis.report.overview import overview
from analysis.report.page import TITLE, render_markdown, render_page
from study.artifacts.atomic_write import whole_folder
from study.artifacts.targets import refuse_loss, try_folder
from study.errors import SpecError

WRITTEN = re.compile(r"index\.html|results\.md|[\w-]+\.png|study-\d+")
"""The names that a report has in its folder."""


def write_report(folders: str | Path | Sequence[str | Path], to: Path | None = None) -> Path:
    """Writes the page, its pictures and ``results.md``.

    Args:
        folders: of the studies, or addresses as for ``analysis.load``; one chapter each, and of a study that several
            devices computed one for each device.
        to: where; else ``DIR/report`` of one study, and a folder ``report`` beside the first of several.

    Returns:
        The page.

    Raises:
        SpecError: a folder is no study, or is given twice; it is an address and ``to`` is missing; or the target is
            neither free nor a report.
    """
    given = [folders] if isinstance(folders, str | Path) else list(folders)
    if not given:
        raise SpecError("nothing to report: give a study's folder, or several")
    studies = [
        MeasuredStudy.of(part)
        for study in load(*given, device=ALL).parts
        for part in ([study.on_device(each) for each in study.devices] if len(study.devices) > 1 else [study])
    ]
    target = to if to is not None else _beside(studies)
    _check_target(target)
    names = _names(studies)
    chapters = [
        chapter(study, name, f"study-{index + 1}")
        for index, (study, name) in enumerate(zip(studies, names, strict=True))
    ]
    front = overview(studies, names)
    sections = [*front, *(section for each in chapters for section in each.sections)]
    drawings = {chart: Drawing(chart) for section in sections for chart in section.charts}
    with whole_folder(target) as folder:
        for each in chapters:
            pictures = folder if len(chapters) == 1 else folder / each.anchor
            pictures.mkdir(exist_ok=True)
            for chart in each.charts:
                (pictures / f"{chart.name}.png").write_bytes(drawings[chart].png())
            (pictures / "results.md").write_text(render_markdown(each), encoding="utf-8")
        html = render_page(chapters, front, drawings)
        (folder / "index.html").write_text(html, encoding="utf-8")
    return target / "index.html"


def _beside(studies: list[MeasuredStudy]) -> Path:
    first = studies[0].folder
    return first / "report" if len({study.folder for study in studies}) == 1 else first.parent / "report"


def _check_target(target: Path) -> None:
    """Refuses what cannot become the report's folder, before anything is computed.

    Raises:
        SpecError: what is in the way, and what to do.
    """
    try_folder(target)
    entries = sorted(path.name for path in target.iterdir()) if target.is_dir() else []
    index = target / "index.html"
    ours = index.is_file() and TITLE in index.read_text(encoding="utf-8", errors="replace")
    for name in entries:
        if not (ours and WRITTEN.fullmatch(name)):
            refuse_loss(target / name, "report")


def _names(studies: list[MeasuredStudy]) -> list[str]:
    """A name for each chapter: that of the spec, and where two have the same, where each lies, and its device."""
    names = [str(study.content["spec"]["name"]) for study in studies]
    folders = {(name, study.location.given) for name, study in zip(names, studies, strict=True)}
    found = []
    for name, study in zip(names, studies, strict=True):
        alike = [each for each, _ in folders].count(name) > 1
        where = f"{name} ({study.name})" if alike else name
        found.append(where if study.elsewhere is None else f"{where}, on {', '.join(study.devices)}")
    return found
