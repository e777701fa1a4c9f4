"""Rating a study's answers by a judge: each distinct answer once, the number of calls limited before the first."""

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path

from cluster.rows.judge_replies import JudgeReplies, case_of
from cluster.rows.rescore import Scorer, held_for_scoring, rescore
from cluster.storage.store import Store
from cluster.study_folder.study_folder import StudyFolder
from study.errors import SpecError
from study.evaluation.judge_clients import EndpointJudge, FolderJudge, Judge
from study.evaluation.rating import INSTRUCTION_VERSION, READER_VERSION, Case, rating
from study.results.files import dataset_files, read_dataset, read_file

COLUMNS = ("prompt", "target", "completion")


def judge_study(
    folder: Path, store: Store, named: str | None, calls: int, at_once: int, say: Callable[[str], None]
) -> None:
    """Judges a study's answers and writes the ratings into its rows.

    Args:
        named: a model folder, or the name that an endpoint gives its model.
        calls: the most calls that are made.
        at_once: how many of them run at a time.
        say: is called with what will be asked, before anything is, and with the outcome.

    Raises:
        SpecError: no judge is named, it is a path without a folder, or the study needs more calls than ``calls``.
        StudyHeldError: a driver runs the study; what the judge said is kept, so that scoring again asks nothing twice.
        PreflightError: the judge cannot be reached; what it said before is kept and scored.
    """
    if not named:
        raise SpecError("--metric judge needs --judge: the name of the endpoint's model, or a model folder")
    local = Path(named).is_dir()
    if not local and named.startswith(("/", "./", "../", "~")):
        raise SpecError(
            f"--judge {named}: no such folder; expected a model folder, or the endpoint's model by its name"
        )
    judge: Judge = FolderJudge(named) if local else EndpointJudge(named, calls)
    replies = JudgeReplies(store)
    answers, cases = _cases(folder, judge.model)
    unanswered = [case for case in cases if replies.get(case) is None]
    say(f"{answers:,} answers, {len(cases):,} distinct: {len(unanswered):,} calls, at most {calls:,}")
    if len(unanswered) > calls:
        raise SpecError(
            f"judging takes {len(unanswered):,} calls ({len(cases):,} distinct of {answers:,} answers, "
            f"{len(cases) - len(unanswered):,} kept already), and --calls allows {calls:,}: raise it, or judge a "
            "smaller study"
        )
    try:
        _ask(judge, unanswered, replies, 1 if local else at_once)
    finally:
        with held_for_scoring(folder) as lease:
            rescore(lease, _kept_scores(judge.model, replies))
            facts = {"model": judge.model, "instruction": INSTRUCTION_VERSION, "reader": READER_VERSION}
            StudyFolder(folder).add_provenance(lease, {"judge": facts})
    rows = read_dataset(folder, "probes", ["judge_reply", "judge_rating"])
    unreadable = rows["judge_rating"].null_count - rows["judge_reply"].null_count
    say(
        f"{len(cases):,} distinct answers judged; the replies to {unreadable:,} of {answers:,} answers "
        "could not be read"
    )


def _cases(folder: Path, judge: str) -> tuple[int, list[Case]]:
    """How many answers a study has, and the distinct cases among them."""
    cases: dict[str, Case] = {}
    answers = 0
    for path in dataset_files(folder, "probes"):
        for row in read_file(path, "probes", COLUMNS).to_pylist():
            answers += 1
            case = case_of(row, judge)
            cases[case.key] = case
    return answers, list(cases.values())


def _ask(judge: Judge, cases: Sequence[Case], replies: JudgeReplies, at_once: int) -> None:
    """Asks for every case; stops at the first error, and keeps the replies that came before it."""

    def one(case: Case) -> None:
        replies.keep(case, judge.reply(case.prompt))

    with ThreadPoolExecutor(at_once) as pool:
        futures = [pool.submit(one, case) for case in cases]
        done, rest = wait(futures, return_when=FIRST_EXCEPTION)
        for future in rest:
            future.cancel()
        for future in done:
            future.result()


def _kept_scores(judge: str, replies: JudgeReplies) -> Scorer:
    """The kept reply to each row and its rating, null where there is no reply or none that can be read."""

    def score(row: dict[str, object]) -> dict[str, object]:
        reply = replies.get(case_of(row, judge))
        return {"judge_reply": reply, "judge_rating": None if reply is None else rating(reply)}

    return score
