"""The replies of judges, kept beside the artifacts: each case is asked once, for all studies over a store.

A reply is a text of the store, ``judge/KEY[:2]/KEY.json``, under the content key of judge, instruction and case. It
is kept as soon as it comes, whole or not at all, and the first reply stays. So a judge that goes away costs nothing
that was said, and ratings are read again without a call.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from cluster.storage.store import Store
from study.errors import IntegrityError
from study.evaluation.rating import INSTRUCTION_VERSION, Case

FOLDER = "judge"


class JudgeReplies:
    """The kept replies of a store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, case: Case) -> str | None:
        """The reply; None where nobody was asked yet.

        Raises:
            IntegrityError: what was kept is no reply to this case.
        """
        text = self._store.read_text(_name(case))
        if text is None:
            return None
        problem = _problem(text, case.key)
        if problem is not None:
            raise IntegrityError(
                f"{self._store.location}/{_name(case)}: {problem}; move it aside with `relearn verify STUDY "
                "--repair`, and score again: only this answer is asked for again"
            )
        return str(json.loads(text)["reply"])

    def keep(self, case: Case, reply: str) -> None:
        """Keeps a reply, unless the case has one."""
        facts = {"instruction": INSTRUCTION_VERSION, **asdict(case), "reply": reply}
        self._store.create_text(_name(case), json.dumps(facts, ensure_ascii=False, indent=1))

    def check(self) -> Iterator[tuple[str, str | None]]:
        """The name of each kept reply, and what is wrong with it, or None."""
        for name in self._store.text_names(FOLDER):
            try:
                text = self._store.read_text(name)
            except IntegrityError as error:
                yield name, str(error)
                continue
            if text is not None:
                yield name, _problem(text, name.rpartition("/")[2].removesuffix(".json"))


def case_of(row: Mapping[str, Any], judge: str) -> Case:
    """The case that a row of probes is."""
    return Case(judge, str(row["prompt"]), str(row["target"]), str(row["completion"]))


def _name(case: Case) -> str:
    return f"{FOLDER}/{case.key[:2]}/{case.key}.json"


def _problem(text: str, key: str) -> str | None:
    """What is wrong with a kept reply, in words; None where it is the reply to the case of that key."""
    try:
        facts = json.loads(text)
        case = Case(*(str(facts[name]) for name in ("judge", "question", "reference", "answer")))
        if not isinstance(facts["reply"], str):
            return f"a reply that is no text ({facts['reply']!r:.40})"
    except (ValueError, KeyError, TypeError) as error:
        return f"no readable reply ({type(error).__name__})"
    return None if case.key == key else "the reply to another case"
