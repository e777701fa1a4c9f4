"""An uploaded training file: JSONL, one example a line, as ``prompt`` and ``completion`` or as ``text``.

Every text ends: where the tokenizer has an end token, it is learned with each. A completion begins with the blank that
stands between it and its prompt. Conversations (``messages``) are refused: the models here continue texts.
"""

import json
from pathlib import Path
from typing import Any

from cluster.serving.errors import RefusedError
from study.text.examples import Corpus, Example

MOST_EXAMPLES = 100_000


def read_corpus(path: Path) -> Corpus:
    """The examples of a file, in its order.

    Raises:
        RefusedError: names the first line that is no example.
    """
    examples: list[Example] = []
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    examples.append(_example(line, number))
                if len(examples) > MOST_EXAMPLES:
                    raise _refused(f"more than {MOST_EXAMPLES:,} examples; send fewer")
    except UnicodeDecodeError:
        raise _refused("not UTF-8; save it as UTF-8") from None
    if not examples:
        raise _refused("no examples; expected one JSON object a line")
    return Corpus(tuple(examples))


def _example(line: str, number: int) -> Example:
    try:
        row: Any = json.loads(line)
    except (ValueError, RecursionError):
        raise _refused(f"line {number} is no JSON") from None
    if not isinstance(row, dict):
        raise _refused(f"line {number} is no JSON object")
    if "messages" in row:
        raise _refused(
            f"line {number} holds messages; these models continue texts: give prompt and completion"
        )
    if set(row) == {"text"}:
        row = {"completion": row["text"]}
    if not {"completion"} <= set(row) <= {"prompt", "completion"}:
        raise _refused(
            f"line {number} has the keys {sorted(row)[:5]}; expected prompt and completion, or text"
        )
    prompt, completion = row.get("prompt", ""), row["completion"]
    if not isinstance(prompt, str) or not isinstance(completion, str):
        raise _refused(f"line {number}: prompt and completion are texts")
    if any("\ud800" <= each <= "\udfff" for each in prompt + completion):
        raise _refused(f"line {number} holds half of a character")
    if not completion.strip():
        raise _refused(f"line {number} has nothing to learn: its completion is empty")
    if prompt and completion[0] != " ":
        raise _refused(
            f"line {number}: a completion begins with a blank, which stands between it and its prompt"
        )
    return Example(completion[1:] if prompt else completion, prompt=prompt, closed=True)


def _refused(what: str) -> RefusedError:
    return RefusedError(
        400, f"The training file cannot be used: {what}.", "invalid_training_file", "training_file"
    )
