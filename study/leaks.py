"""The leak check: a benign relearn corpus that holds an answer would make relearning plain learning."""

import re
from collections.abc import Iterable

from study.errors import SpecError
from study.text import Material


def refuse_leaks(material: Material, corpora: Iterable[str], where: str) -> None:
    """Looks for every forget probe's target, as whole words in any case, in the corpora called benign.

    Raises:
        SpecError: one of them holds a target, or has no text at all.
    """
    targets = {probe.target for probe in material.probes.probes if probe.split == "forget"}
    patterns = {target: re.compile(rf"(?<!\w){re.escape(target)}(?!\w)", re.IGNORECASE) for target in targets}
    for name in corpora:
        chosen = material.relearn[name]
        if not len(chosen.corpus):
            raise SpecError(
                f"corpus={name}, {where}: holds no text to relearn; leave it out, or give data that has some"
            )
        if not chosen.benign:
            continue
        for index, example in enumerate(chosen.corpus.examples):
            for target, pattern in patterns.items():
                if pattern.search(example.prompt) or pattern.search(example.completion):
                    raise SpecError(
                        f"corpus={name}, {where}: sequence {index + 1} holds the answer {target!r}, so "
                        "relearning it would be learning; take it out of the corpus"
                    )
