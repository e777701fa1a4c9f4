"""What an attacker loses who may not choose rate, steps and adapter: a study by weights beside one through an API.

The cells of the same coordinates are compared, as by ``relearn compare``: paired over the seeds and probes that both
have, with intervals adjusted for the number of places. Only relearned cells that start at an unlearned model stand in
the table. Two studies by weights, and two that have no such place in common, are not compared here.
"""

from collections.abc import Sequence
from itertools import product
from typing import Any

from analysis.measures.study_comparison import Comparison, Pair, compare_studies
from analysis.reading.study_frames import Study
from analysis.report.elements import Section, Table, percent, signed, table_of, with_interval
from study.errors import counted

VARYING = ("model", "method", "repetitions", "depth", "corpus", "relearn_steps")


def access_section(studies: Sequence[Study], names: Sequence[str]) -> Section | None:
    """A table for each study by weights and each through an API that share places; None where no two do."""
    by = [_by(study) for study in studies]
    weights = [index for index, each in enumerate(by) if each == "weights"]
    served = [index for index, each in enumerate(by) if each != "weights"]
    words: list[str] = [
        "The weights are out of reach of an attacker who has only a fine-tuning API: the text is theirs, and the "
        "service chooses what is not sent. A difference below 0 is what such an attacker loses."
    ]
    tables = []
    for first, second in product(weights, served):
        found = compare_studies(studies[first], studies[second])
        pairs = [pair for pair in found.pairs if _relearned(pair)]
        if found.metric is None or not pairs:
            continue
        both = (names[first], names[second])
        words.append(_in_words(found, pairs, both, _service(studies[second])))
        tables.append(_table(pairs, both))
    return (
        Section("access", "With the weights, and through an API", tuple(words), (), tuple(tables))
        if tables
        else None
    )


def _by(study: Study) -> str:
    return str(_relearn(study).get("by", "weights"))


def _relearn(study: Study) -> dict[str, Any]:
    return dict(study.content["spec"].get("relearn") or {})


def _service(study: Study) -> str:
    relearn = _relearn(study)
    left = list(relearn.get("left_to_the_service") or ())
    if relearn.get("by") == "jobs" and relearn.get("dialect", "openai") == "openai":  # it takes no such thing
        rate = [] if relearn.get("rate_multiplier") or "learning_rate" in left else ["learning_rate"]
        left += [*rate, "adapter"]
    return f"by {_by(study)}; left to the service: {', '.join(left) or 'nothing that could be sent'}"


def _relearned(pair: Pair) -> bool:
    return pair.place["start"] == "unlearned" and int(pair.place["relearn_steps"]) > 0


def _in_words(found: Comparison, pairs: Sequence[Pair], names: tuple[str, str], service: str) -> str:
    apart = [pair for pair in pairs if pair.apart]
    lost = sum(pair.difference < 0 for pair in apart)
    gained = len(apart) - lost
    rest = len(pairs) - len(apart)
    where = "it" if len(pairs) == 1 else f"all {rest}" if not apart else f"the other {rest}"
    unsaid = f"; in {where} it holds 0 or there is none, which does not say that nothing is lost there"
    return (
        f"{names[1]} ({service}) beside {names[0]}, by {found.metric}: of {counted(len(pairs), 'place')} that both "
        f"have, the interval of the difference lies below 0 in {lost or 'none'} and above 0 in {gained or 'none'}"
        f"{unsaid if rest else ''}."
    )


def _table(pairs: Sequence[Pair], names: tuple[str, str]) -> Table:
    varying = [name for name in VARYING if len({pair.place[name] for pair in pairs}) > 1]
    rows = [
        {
            **{name.replace("_", " "): str(pair.place[name]) for name in varying},
            names[0]: percent(100 * pair.first, 1),
            names[1]: percent(100 * pair.second, 1),
            **with_interval(
                "difference",
                signed(100 * pair.difference, 1),
                signed(100 * pair.low, 1),
                signed(100 * pair.high, 1),
            ),
            "seeds": str(pair.seeds),
        }
        for pair in pairs
    ]
    numbers = {name: name not in ("model", "method", "corpus") for name in rows[0]}
    caption = (
        f"{names[1]} beside {names[0]}: the difference in points, with 95% over seeds and probes, adjusted for the "
        "number of places."
    )
    return table_of(numbers, rows, caption)
