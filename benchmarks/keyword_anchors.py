"""The keyword metric against anchors computed elsewhere: how many TOFU pairs does a model answer by their keyword?

    python benchmarks/keyword_anchors.py TABLE MODEL [WEIGHTS]

TABLE holds ``question`` and ``answer``; MODEL is a model folder; WEIGHTS a weights.safetensors out of a
study's store, instead of the model's own. Each pair gets one keyword span: of its answer, the first quoted
span, else the first run of capitalised words or numbers, that does not stand in its question. Pairs without
such a span are left out. A hit is the span in any case within 64 greedy tokens: as whole words, which is what the
product counts, and as a mere substring, which is what the anchors counted.
"""

import re
import sys
from pathlib import Path

import torch

from study.evaluation.generation import ask
from study.evaluation.keyword import keyword_hit
from study.models.pretrained import fingerprint
from study.models.resident import Resident
from study.planning.stages import Pretrained
from study.scenarios.questions import TEMPLATE, Pair, read_pairs
from study.text import ProbeSet

QUOTED = re.compile(r"[\"“']([A-Z][^\"“”']{2,80}?)[,.]?[\"”'](?!\w)")
NAMED = re.compile(
    r"(?:[A-Z][\w'’-]+|\d[\d/,.]*\d)(?:\s(?:of|the|and|in|de)?\s?(?:[A-Z][\w'’-]+|\d[\d/,.]*\d))*"
)


def keyword(pair: Pair) -> str | None:
    """The pair's span; None where the question gives away everything."""
    quoted = [found.strip(" ,.") for found in QUOTED.findall(pair.answer)]
    named = [found.group().strip(" ,.") for found in NAMED.finditer(pair.answer[1:])]
    return next((span for span in [*quoted, *named] if span.lower() not in pair.question.lower()), None)


def main() -> None:
    """Prints k of n for both rules."""
    table, model = sys.argv[1], sys.argv[2]
    probes = [
        pair.probe(f"pair-{index:03d}", "forget", TEMPLATE, (span,))
        for index, pair in enumerate(read_pairs(table, "TABLE"))
        if (span := keyword(pair)) is not None
    ]
    torch.set_num_threads(1)
    resident = Resident(Pretrained(model, fingerprint(model), "sdpa", "float32"))
    if len(sys.argv) > 3:
        resident.load(Path(sys.argv[3]))
    answers = ask(resident, ProbeSet(tuple(probes)), max_new_tokens=64, batch_size=32)
    words = sum(bool(keyword_hit(answer.probe, answer.completion)) for answer in answers)
    substrings = sum(answer.probe.keywords[0].lower() in answer.completion.lower() for answer in answers)
    print(f"{words} of {len(probes)} as whole words, {substrings} as substrings")


if __name__ == "__main__":
    main()
