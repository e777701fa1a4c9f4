"""Numbers in a document, written by the command that measured them: between two markers, and nowhere else."""

from pathlib import Path


def replace_between(document: Path, name: str, text: str) -> None:
    """Puts text between ``<!-- NAME -->`` and ``<!-- end of NAME -->``.

    Raises:
        ValueError: the document lacks the markers.
    """
    content = document.read_text(encoding="utf-8")
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    if begin not in content or end not in content:
        raise ValueError(f"{document} has no place for {name}: expected {begin.strip()} and {end}")
    head, rest = content.split(begin, 1)
    document.write_text(f"{head}{begin}\n{text.strip()}\n\n{end}{rest.split(end, 1)[1]}", encoding="utf-8")
