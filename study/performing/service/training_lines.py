"""A corpus as the file that is uploaded: JSONL, an example a line."""

import json

from study.text.examples import Corpus


def training_lines(corpus: Corpus, form: str) -> bytes:
    """Prompt and completion, as ``text``; or a conversation of two, as ``messages``."""
    rows = []
    for example in corpus.examples:
        blank = " " if example.prompt else ""
        rows.append(
            {"prompt": example.prompt, "completion": f"{blank}{example.completion}"}
            if form == "text"
            else {
                "messages": [
                    {"role": "user", "content": example.prompt},
                    {"role": "assistant", "content": example.completion},
                ]
            }
        )
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
