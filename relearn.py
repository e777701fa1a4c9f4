"""The front door: one app, ``relearn VERB``; the only file that knows all four rooms.

Every verb imports what it needs when it is called, so that ``relearn --help`` and ``relearn status`` answer
at once. A RelearnError ends in its message and its exit code, without a traceback.
"""

import json
import sys
import webbrowser
from collections.abc import Mapping
from dataclasses import replace
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Annotated, Any

HOME = Path(__file__).resolve().parent
if __name__ == "__main__" and not sys.flags.safe_path and sys.path[0] != str(HOME):
    del sys.path[0]  # python -m relearn puts the user's folder first
for room in ("study", "search_spaces", "cluster", "analysis"):
    found = PathFinder.find_spec(room)  # of that name, where the user stands or in PYTHONPATH
    if found is not None and Path(found.origin or "/").resolve().parent.parent != HOME:
        sys.path.insert(0, str(HOME))

import typer  # noqa: E402

from cluster.command_line.options import (  # noqa: E402
    AdaptersOption,
    AddressOption,
    BudgetOption,
    CheckpointsTo,
    ExportTo,
    FormatOption,
    GroupedHelp,
    JobsOption,
    Json,
    Overrides,
    ReportTo,
    SearchOption,
    Space,
    StoreOption,
    StudiesArgument,
    StudyArgument,
    StudyOption,
    StudyOrAddress,
    ToleranceOption,
    VersionOption,
    WaitOption,
    WhereStoreOption,
)
from cluster.launching.verbs import add_verbs  # noqa: E402
from cluster.serving.verb import add_verb as add_serve  # noqa: E402
from study.errors import PreflightError, RelearnError, command_line  # noqa: E402


def _presets() -> list[str]:
    from search_spaces.presets import PRESETS

    return list(PRESETS)


app = typer.Typer(
    cls=GroupedHelp,
    context_settings={"obj": _presets, "help_option_names": ["--help", "-h"]},  # obj: for completion
    help="Studies of when forgotten knowledge comes back: unlearn, relearn, ask, over a grid.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def _every_verb(version: VersionOption = False) -> None:
    pass


@app.command()
def plan(
    space: Space,
    overrides: Overrides = None,
    search: SearchOption = None,
    tolerance: ToleranceOption = None,
    budget: BudgetOption = None,
    study: StudyOption = None,
    store: StoreOption = None,
    as_json: Json = False,
) -> None:
    """Show what a study would cost, and what it could tell; starts nothing."""
    from analysis.measures.resolution import as_dict, in_words, spread_of
    from cluster.command_line.terminal import print_pairs
    from cluster.driver.plan_summary import summarise
    from cluster.driver.preflight.checks import refusal
    from cluster.driver.preflight.first_probe import first_probe
    from cluster.driver.preflight.shortened_texts import shortened_texts
    from cluster.study_folder.study_folder import store_of
    from cluster.study_folder.study_plan import planning_of
    from search_spaces.loading import load_space, search_overrides
    from search_spaces.search.proposers import proposer_of
    from study.planning.materials import read_materials
    from study.planning.proposer import History

    overrides = [*search_overrides(search, tolerance, budget), *(overrides or [])]
    materials = read_materials(spec := load_space(space, overrides))
    folder = _study_path(study, spec.name)
    first = planning_of(materials, folder, computing=False)[1](proposer_of(materials).propose(History()))
    cost = summarise(first, store_of(folder, store), folder, overrides, shortened_texts(first))
    summary = replace(cost, first_probe=first_probe(first), space=space, store=store or "")
    size, spread = summary.size, spread_of(folder)
    if as_json:
        _print_json({**summary.as_dict(), "resolution": as_dict(*size, spread)})
    else:
        summary.show()
        print_pairs("", [("what it can tell", in_words(*size, spread))])
    if refused := refusal(first):
        raise PreflightError(f"relearn run refuses this study: {refused}")


@app.command()
def run(
    space: Space,
    overrides: Overrides = None,
    search: SearchOption = None,
    tolerance: ToleranceOption = None,
    budget: BudgetOption = None,
    study: StudyOption = None,
    store: StoreOption = None,
    address: AddressOption = None,
    wait: WaitOption = 0.0,
) -> None:
    """Run a study; the same command goes on where it stopped."""
    from cluster.driver.launch import Request, launch
    from search_spaces.loading import load_space, search_overrides
    from search_spaces.search.proposers import proposer_of

    overrides = [*search_overrides(search, tolerance, budget), *(overrides or [])]
    spec = load_space(space, overrides)
    request = Request(_study_path(study, spec.name), store, address, space, overrides, wait)
    raise typer.Exit(launch(spec, proposer_of, request).exit_code)


@app.command()
def resume(
    folder: StudyArgument,
    store: WhereStoreOption = None,
    address: AddressOption = None,
    wait: WaitOption = 0.0,
) -> None:
    """Go on with a study; with its --store, also where its folder is lost."""
    from cluster.driver.launch import resume_study
    from cluster.study_folder.kept_copy import begun_store
    from search_spaces.loading import validate
    from search_spaces.search.proposers import proposer_of

    kept = begun_store(folder, store)
    given = kept.location if store is not None else None
    outcome = resume_study(folder, given, address, wait, validate, proposer_of)
    raise typer.Exit(outcome.exit_code)


@app.command()
def status(
    folder: StudyArgument, store: WhereStoreOption = None, address: JobsOption = None, as_json: Json = False
) -> None:
    """Say how far a study is, what failed and why."""
    if address is not None:
        from cluster.launching.submitting import job_status

        print(job_status(folder, address, as_json))
        return
    from cluster.status import study_status
    from cluster.study_folder.kept_copy import begun_store
    from cluster.study_folder.study_plan import recorded_plan
    from search_spaces.loading import validate

    found = study_status(folder, begun_store(folder, store), recorded_plan(folder, validate))
    if as_json:
        _print_json(found.as_dict())
    else:
        found.show(folder)


@app.command()
def stop(folder: StudyArgument, address: JobsOption = None) -> None:
    """Stop a running study once its running stages have ended."""
    from cluster.launching.submitting import end

    print(end(folder, address, "stop"))


@app.command()
def cancel(folder: StudyArgument, address: JobsOption = None) -> None:
    """Stop a running study at once, on whatever node it runs."""
    from cluster.launching.submitting import end

    print(end(folder, address, "cancel"))


@app.command()
def verify(
    folder: StudyArgument,
    store: WhereStoreOption = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Move what is wrong aside, to be computed again.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Check every record, hash and page of a study and its store."""
    from cluster.study_folder.kept_copy import begun_store
    from cluster.study_folder.search_record import put_aside_unreadable
    from cluster.study_folder.study_plan import recorded_plan
    from cluster.verification.verify import verify_study
    from search_spaces.loading import validate

    if repair and (aside := put_aside_unreadable(folder)) is not None:
        print(
            f"The record of this search could not be read: moved to {aside}. "
            f"Go on with: {command_line('resume', folder)}"
        )
        return
    kept = begun_store(folder, store, needed=True)
    found = verify_study(folder, kept, lambda: recorded_plan(folder, validate), repair=repair)
    if as_json:
        _print_json(found.as_dict())
    else:
        for problem in found.problems:
            print(f"{problem.path}: {problem.what}")
        print(found.summary(folder))
    raise typer.Exit(found.exit_code)


@app.command()
def logs(
    folder: StudyArgument,
    stage: Annotated[str | None, typer.Argument(help="A stage's key, or how it begins.")] = None,
    as_json: Json = False,
) -> None:
    """Show what happened in a study, or in one stage, by time."""
    from cluster.study_folder.event_log import events_of, in_words
    from cluster.study_folder.study_folder import StudyFolder

    StudyFolder(folder).recorded()
    found = events_of(folder / "log", stage)
    if as_json:
        _print_json(found)
        return
    for event in found:
        print(in_words(event))


@app.command()
def score(
    folder: StudyArgument,
    metric: Annotated[str, typer.Option("--metric", help="Which score: rouge_l, judge, …")],
    judge: Annotated[
        str | None, typer.Option("--judge", help="For judge: the endpoint's model, or a model folder.")
    ] = None,
    calls: Annotated[int, typer.Option("--calls", min=0, help="The most calls to a judge.")] = 1000,
    at_once: Annotated[int, typer.Option("--at-once", min=1, help="Calls to a judge at a time.")] = 8,
) -> None:
    """Score the stored completions again, without the models."""
    from cluster.rows.rescore import held_for_scoring, rescore, text_scorer
    from cluster.study_folder.study_folder import StudyFolder, store_of

    StudyFolder(folder).recorded()
    if metric == "judge":
        from cluster.rows.judging import judge_study

        judge_study(folder, store_of(folder), judge, calls, at_once, print)
        return
    scorer = text_scorer(metric)
    with held_for_scoring(folder) as lease:
        print(f"{rescore(lease, scorer):,} probes have a score {metric}")


@app.command()
def report(
    folders: StudiesArgument,
    to: ReportTo = None,
    show: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
) -> None:
    """Write the report of studies: one HTML file, and its pictures."""
    from analysis.report import write_report

    page = write_report(folders, to)
    print(page)
    if show and not webbrowser.open(page.resolve().as_uri()):
        raise PreflightError(f"no browser opens here: open {page} yourself")


@app.command()
def compare(first: StudyOrAddress, second: StudyOrAddress, as_json: Json = False) -> None:
    """Say what differs: two specs, and the cells that both have."""
    from analysis.measures.study_comparison import compare_studies, in_words
    from analysis.reading.studies import ALL, load

    found = compare_studies(load(first, device=ALL), load(second, device=ALL))
    if as_json:
        _print_json(found.as_dict())
        return
    for line in in_words(found):
        print(line)


@app.command()
def export(folder: StudyOrAddress, form: FormatOption = "csv", to: ExportTo = None) -> None:
    """Write the rows as CSV, Parquet or a netCDF cube."""
    from analysis.export.files import export as write

    for path in write(folder, form, to):
        print(path)


@app.command()
def checkpoints(
    folder: StudyArgument,
    to: CheckpointsTo = None,
    adapters: AdaptersOption = False,
) -> None:
    """Write the unlearned models as ordinary model folders."""
    from cluster.study_folder.study_folder import store_that_is_there
    from cluster.study_folder.study_plan import recorded_plan
    from cluster.study_folder.working_folder import where_begun
    from search_spaces.loading import validate
    from study.models.model_folders import export_checkpoints

    plan, store = recorded_plan(folder, validate), store_that_is_there(folder.resolve())
    absolute = (target := to or folder / "checkpoints").absolute()
    with where_begun(folder) as there:
        exported = export_checkpoints(plan, store, target if there == folder else absolute, adapters=adapters)
    sys.stdout.writelines(f"{path}\n" for path in exported.written)
    sys.stderr.writelines(f"{line}\n" for line in exported.left_out)


def _planned(space: str, overrides: list[str]) -> Any:
    from cluster.study_folder.study_plan import planning_of
    from search_spaces.loading import load_space
    from search_spaces.search.proposers import proposer_of
    from study.planning.materials import read_materials
    from study.planning.proposer import History

    spec = load_space(space, overrides)
    materials = read_materials(spec)
    points = proposer_of(materials).propose(History())
    return spec, lambda: planning_of(materials, Path("studies") / spec.name, computing=False)[1](points)


add_verbs(app, _planned, HOME)


def _validate(fields: Mapping[str, Any], place: str) -> Any:
    from search_spaces.loading import validate

    return validate(fields, place)


add_serve(app, _validate)


def _study_path(study: Path | None, name: str) -> Path:
    return study if study is not None else Path("studies") / name


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=1, ensure_ascii=False))


def main() -> None:
    """The console script: runs the app, and turns a RelearnError into words and an exit code."""
    from cluster.command_line.output import printing
    from cluster.command_line.settings_in_one_word import refuse_settings_in_several_words
    from cluster.command_line.usable_paths import refuse_unusable_paths
    from cluster.command_line.utf8_mode import use_utf8

    use_utf8()
    with printing(answers=sys.argv[1:2] not in (["run"], ["resume"])):
        try:
            refuse_unusable_paths(sys.argv[1:])
            refuse_settings_in_several_words(sys.argv[1:])
            app()
        except RelearnError as error:
            print(f"relearn: {error}", file=sys.stderr)
            sys.exit(error.exit_code)
        except OSError as error:  # a path that cannot be read or written, in whatever verb
            from cluster.storage.retry import UnansweredError

            words = f"{error.filename}: {error.strerror}" if error.filename else f"{error.strerror or error}"
            if isinstance(error, UnansweredError):
                remedy = "give the same command again when it answers, or mend its address (the endpoint, the network)"
            else:
                remedy = "give another path, or mend this one"
            print(f"relearn: {words}: {remedy}", file=sys.stderr)
            sys.exit(PreflightError.exit_code)


if __name__ == "__main__":
    main()
