"""A user's own sequences: a text file with one sequence a line, words separated by blanks."""

from pathlib import Path

from study.errors import PreflightError, SpecError


def read_sequences(path: str) -> list[list[str]]:
    """The distinct sequences of a file in their order; blank lines do not count, repeated ones once.

    Raises:
        PreflightError: the file is missing.
        SpecError: it is not UTF-8, or holds no sequence of two words or more.
    """
    file = Path(path)
    if not file.is_file():
        raise PreflightError(
            f"scenario.corpus_file={path}: no such file; expected a text file with one sequence a line"
        )
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SpecError(
            f"{path} is not UTF-8 (byte {error.start}): save it as UTF-8 and try again"
        ) from error
    sequences = [line.split() for line in dict.fromkeys(text.splitlines()) if line.strip()]
    if not sequences:
        raise SpecError(f"{path} is empty: expected one sequence of names a line")
    short = next((names for names in sequences if len(names) < 2), None)
    if short is not None:
        raise SpecError(
            f"{path} has a line of one word only, {short[0]!r}: expected a sequence of names a line, "
            "separated by blanks"
        )
    return sequences
