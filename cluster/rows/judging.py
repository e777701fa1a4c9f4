"""Rating a study's answers by a judge: each distinct answer once, the number of calls limited before the first.

An answer that the judge cannot take has no rating; why stands in its rows and is counted. The others are rated. It is
asked again by the next command. Where a judge says nothing at all, the ratings of one before stay.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path

from cluster.rows.judge_replies import JudgeReplies, case_of
from cluster.rows.rescore import Scorer, held_for_scoring, rescore
from cluster.storage.store import Store
from cluster.study_folder.study_folder import StudyFolder
from study.errors import PreflightError, SpecError
from study.evaluation.judge_clients import EndpointJudge, FolderJudge, Judge
from study.evaluation.rating import INSTRUCTION_VERSION, READER_VERSION, Case, UnratedError, rating
from study.results.files import dataset_files, read_dataset, read_file
from study.results.unrated import NO_NUMBER, causes_of, in_words

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
        PreflightError: the judge cannot be reached; what it said before is kept and scored. Or it can take none of the
            answers; then no row is changed.
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
    unrated: dict[str, str] = {}
    try:
        _ask(judge, unanswered, replies, 1 if local else at_once, unrated)
    finally:
        if any(replies.get(case) is not None for case in cases):
            with held_for_scoring(folder) as lease:
                rescore(lease, _kept_scores(judge.model, replies, unrated))
                facts = {"model": judge.model, "instruction": INSTRUCTION_VERSION, "reader": READER_VERSION}
                facts |= {"answers": answers, "unrated": dict(_causes(folder))}
                StudyFolder(folder).add_provenance(lease, {"judge": facts})
    if cases and len(unrated) == len(cases):
        raise PreflightError(
            f"the judge {judge.model} can take none of the {len(cases):,} distinct answers, and no row was changed "
            f"({in_words(causes_of(unrated.values()))}; the first: {next(iter(unrated.values()))}); name "
            "another judge, or mend what is said here"
        )
    causes = _causes(folder)
    unreadable = causes.pop(NO_NUMBER, 0)
    say(
        f"{len(cases) - len(unrated):,} distinct answers judged; the replies to {unreadable:,} of {answers:,} answers "
        "could not be read"
    )
    if causes:
        say(
            f"{sum(causes.values()):,} of {answers:,} answers have no rating, as the judge does not take them "
            f"({in_words(causes)}); the column judge_unrated of the probes says more of each"
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


def _causes(folder: Path) -> Counter[str]:
    """How many answers have no rating by the last judge, by cause; not those that it was not asked about."""
    rows = read_dataset(folder, "probes", ["judge_reply", "judge_rating", "judge_unrated"])
    unreadable = rows["judge_rating"].null_count - rows["judge_reply"].null_count
    return causes_of(rows["judge_unrated"].to_pylist()) + Counter({NO_NUMBER: unreadable})


def _ask(
    judge: Judge, cases: Sequence[Case], replies: JudgeReplies, at_once: int, unrated: dict[str, str]
) -> None:
    """Asks for every case; stops at the first error, and keeps the replies that came before it.

    Args:
        unrated: gets the keys of those that the judge cannot take, and why.
    """

    def one(case: Case) -> None:
        try:
            replies.keep(case, judge.reply(case.prompt))
        except UnratedError as error:
            unrated[case.key] = str(error)

    with ThreadPoolExecutor(at_once) as pool:
        futures = [pool.submit(one, case) for case in cases]
        done, rest = wait(futures, return_when=FIRST_EXCEPTION)
        for future in rest:
            future.cancel()
        for future in done:
            future.result()


def _kept_scores(judge: str, replies: JudgeReplies, unrated: Mapping[str, str]) -> Scorer:
    """The kept reply to each row and its rating, null where there is no reply or none that can be read, and why."""

    def score(row: dict[str, object]) -> dict[str, object]:
        case = case_of(row, judge)
        reply = replies.get(case)
        return {
            "judge_reply": reply,
            "judge_rating": None if reply is None else rating(reply),
            "judge_unrated": unrated.get(case.key),
        }

    return score
