"""Rating a study's answers by a judge: each distinct answer once, every reply kept, the calls capped.

Replies lie beside the artifacts, ``STORE/judge/KEY[:2]/KEY.json``, under the content key of judge,
instruction and case, written as soon as they come. So a judge that goes away costs nothing that was said,
another study over the same store asks nothing twice, and ratings can be read again without a call.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cluster.rows.rescore import rescore
from cluster.study_folder.study_folder import StudyFolder
from study.atomic_write import write_json
from study.errors import SpecError
from study.evaluation.judge import INSTRUCTION_VERSION, READER_VERSION, Case, Judge, rating
from study.evaluation.judges import EndpointJudge, FolderJudge
from study.results.files import dataset_files, read_dataset, read_file

COLUMNS = ("prompt", "target", "completion")


@dataclass(frozen=True)
class Bill:
    """What judging a study takes: answers, distinct ones among them, and those not answered for yet."""

    answers: int
    distinct: int
    calls: int


class Replies:
    """The kept replies of a store."""

    def __init__(self, store: Path) -> None:
        self._folder = store / "judge"

    def get(self, case: Case) -> str | None:
        """What was replied; None where nobody was asked yet."""
        try:
            reply: str = json.loads(self._path(case).read_text(encoding="utf-8"))["reply"]
        except FileNotFoundError:
            return None
        return reply

    def keep(self, case: Case, reply: str) -> None:
        """Whole or not at all; the first reply stays."""
        facts = {"instruction": INSTRUCTION_VERSION, **asdict(case), "reply": reply}
        write_json(self._path(case), facts, replace=False)

    @staticmethod
    def problem(path: Path) -> str | None:
        """What is wrong with a file of a reply, in words; None where it is the reply to its case."""
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))
            case = Case(*(str(facts[name]) for name in ("judge", "question", "reference", "answer")))
        except (ValueError, KeyError, TypeError, OSError) as error:
            return f"no readable reply ({type(error).__name__})"
        return None if case.key == path.stem else "the reply to another case"

    def _path(self, case: Case) -> Path:
        return self._folder / case.key[:2] / f"{case.key}.json"


def case_of(row: Mapping[str, Any], judge: str) -> Case:
    """The case that a row of probes is."""
    return Case(judge, str(row["prompt"]), str(row["target"]), str(row["completion"]))


def open_cases(folder: Path, judge: str, replies: Replies) -> tuple[Bill, list[Case]]:
    """What there is to ask."""
    cases: dict[str, Case] = {}
    answers = 0
    for path in dataset_files(folder, "probes"):
        for row in read_file(path, "probes", COLUMNS).to_pylist():
            answers += 1
            case = case_of(row, judge)
            cases[case.key] = case
    missing = [case for case in cases.values() if replies.get(case) is None]
    return Bill(answers, len(cases), len(missing)), missing


def refuse_above(bill: Bill, cap: int) -> None:
    """Nothing is asked where the cap would not do.

    Raises:
        SpecError: more calls are needed than the cap allows.
    """
    if bill.calls > cap:
        raise SpecError(
            f"judging takes {bill.calls:,} calls ({bill.distinct:,} distinct of {bill.answers:,} answers, "
            f"{bill.distinct - bill.calls:,} kept already), and --calls allows {cap:,}; raise it, or judge a "
            "smaller study"
        )


def ask_judge(judge: Judge, cases: Sequence[Case], replies: Replies, at_once: int) -> None:
    """Asks for every case, ``at_once`` at a time; stops at the first error, and keeps what was said.

    Raises:
        PreflightError: the judge cannot be reached, or refuses.
    """

    def one(case: Case) -> None:
        replies.keep(case, judge.reply(case.prompt))

    with ThreadPoolExecutor(at_once) as pool:
        futures = [pool.submit(one, case) for case in cases]
        done, rest = wait(futures, return_when=FIRST_EXCEPTION)
        for future in rest:
            future.cancel()
        for future in done:
            future.result()


def judge_scorer(judge: str, replies: Replies) -> Any:
    """A scorer for ``cluster.rows.rescore``: the kept reply and its rating, null where it cannot be read."""

    def score(row: Mapping[str, Any]) -> dict[str, Any]:
        reply = replies.get(case_of(row, judge))
        return {"judge_reply": reply, "judge_rating": None if reply is None else rating(reply)}

    return score


def judge_study(
    folder: Path, store: Path, named: str | None, calls: int, at_once: int, say: Callable[[str], None]
) -> None:
    """Judges a study's answers and writes the ratings into its rows.

    Args:
        named: a model folder, or the name that an endpoint gives its model.
        calls, at_once: the cap, and how many calls run at a time.
        say: told the bill before anything is asked, and the outcome.

    Raises:
        SpecError: no judge is named, or the cap is too low.
        PreflightError: the judge cannot be reached; what it said before is kept and scored.
    """
    if named is None:
        raise SpecError("--metric judge needs --judge: the name of the endpoint's model, or a model folder")
    local = Path(named).is_dir()
    judge: Judge = FolderJudge(named) if local else EndpointJudge(named, calls)
    replies = Replies(store)
    bill, cases = open_cases(folder, judge.model, replies)
    say(f"{bill.answers:,} answers, {bill.distinct:,} distinct: {bill.calls:,} calls, at most {calls:,}")
    refuse_above(bill, calls)
    try:
        ask_judge(judge, cases, replies, 1 if local else at_once)
    finally:
        rescore(folder, judge_scorer(judge.model, replies))
        facts = {"model": judge.model, "instruction": INSTRUCTION_VERSION, "reader": READER_VERSION}
        StudyFolder(folder).add_provenance({"judge": facts})
    rows = read_dataset(folder, "probes", ["judge_reply", "judge_rating"])
    unreadable = rows["judge_rating"].null_count - rows["judge_reply"].null_count
    say(
        f"{bill.distinct:,} distinct answers judged; the replies to {unreadable:,} of {bill.answers:,} answers "
        "could not be read"
    )
