"""What `make docs` adds to the pages: sample reports, written from committed studies by `analysis` itself.

They are not committed, so that they always show the report as it is now. They become files of the site, so that
links to them are checked like all others.
"""

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

SAMPLES = ("names", "notebook/tofu-mini")
"""Folders of docs/ that hold a committed study: one on record, and one with the texts of its answers."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds ``sample-report/STUDY/index.html`` and its pictures for each committed study."""
    build = Path(config.site_dir).parent
    for sample in SAMPLES:
        written = write_sample(Path(config.docs_dir) / sample, build / "sample-report" / Path(sample).name)
        for path in sorted(written.iterdir()):
            if path.suffix != ".md":
                uri = path.relative_to(build).as_posix()
                files.append(File.generated(config, uri, abs_src_path=str(path)))
    return files


def write_sample(study: Path, to: Path) -> Path:
    """Writes the report of a committed study; the folder that it lies in."""
    from analysis.record.recorded_study import on_record
    from analysis.report import write_report

    if (study / "results").is_dir():
        return Path(write_report([str(study)], to)).parent
    with on_record(study) as read:
        return Path(write_report([str(read.folder)], to)).parent
