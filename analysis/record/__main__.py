"""``python -m analysis.record RECORDS [STUDY…]``: puts studies on record, then writes the page and its pictures.

``python -m analysis.record docs`` writes docs/RESULTS.md from what is committed. Studies named after it are put on
record first, finished or not: what is missing is missing. Pictures that no mark of the page shows are deleted.
"""

import sys
from pathlib import Path

from analysis.record.recorded_study import put
from analysis.record.results_page import PAGE, page
from study.errors import RelearnError


def main(arguments: list[str]) -> int:
    """Runs the command; returns its exit code."""
    if not arguments:
        sys.stderr.write("usage: python -m analysis.record RECORDS [STUDY…]\n")
        return 2
    records = Path(arguments[0])
    try:
        for study in arguments[1:]:
            sys.stdout.write(f"{put(Path(study), records)}\n")
        text, pictures = page(records)
        (records / PAGE).write_text(text, encoding="utf-8")
        for path, content in pictures.items():
            path.write_bytes(content)
            sys.stdout.write(f"{path}\n")
        for path in {path for folder in {each.parent for each in pictures} for path in folder.glob("*.svg")}:
            if path not in pictures:
                path.unlink()
    except RelearnError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
