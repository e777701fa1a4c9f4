"""The front door: one app, ``relearn VERB``; the only file that knows all four rooms.

Every verb imports what it needs when it is called, so that ``relearn --help`` and ``relearn status`` answer
at once. A RelearnError ends in its message and its exit code, without a traceback.
"""

import json
import os
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from study.errors import RelearnError, SpecError

if TYPE_CHECKING:  # torch, ray and pandas are slow to import; see the module's text
    from cluster.local_store import LocalStore
    from study.plan import Plan
    from study.spec import StudySpec

app = typer.Typer(
    help="Studies of when forgotten knowledge comes back: unlearn, relearn, ask, over a grid.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Space = Annotated[str, typer.Argument(help="A preset (names), module:function, or a YAML or JSON file.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change the spec, e.g. --set depth=[8,12]."),
]
StudyOption = Annotated[
    Path | None, typer.Option("--study", help="The study's folder [default: studies/NAME].")
]
StoreOption = Annotated[
    str | None, typer.Option("--store", help="Where artifacts are kept [default: STUDY/store].")
]
AddressOption = Annotated[
    str | None, typer.Option("--address", help="A running Ray cluster [default: a local one].")
]
StudyArgument = Annotated[Path, typer.Argument(help="A study's folder.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


@app.command()
def plan(
    space: Space,
    overrides: Overrides = None,
    study: StudyOption = None,
    store: StoreOption = None,
    as_json: Json = False,
) -> None:
    """Show what a study would cost, before anything is spent."""
    from search_spaces.loading import load_space
    from study.cost import cost, meter_of_records

    spec = load_space(space, overrides or [])
    folder = _study_path(study, spec.name)
    place = _open_store(store, folder)
    planned, models = _planned(spec)
    published = list(place.addresses())
    answers = [address for address in published if address.what.startswith("answers")]
    wanted_cost = cost(
        planned,
        published,
        meter_of_records(place.record(address) for address in answers[-500:]).throughput(),
        {model: _weight_bytes(model) for model in models},
        _local_slots(spec),
    )
    facts = {
        "study": spec.name,
        "folder": str(folder),
        **asdict(wanted_cost),
        "steps_factor": wanted_cost.steps_factor,
        "evaluations_factor": wanted_cost.evaluations_factor,
        "corpora": [
            {"repetitions": count, **asdict(each)}
            for count, found in planned.audits.items()
            for each in found
        ],
        "overrides": overrides or [],
        "spec": spec.model_dump(mode="json"),
    }
    if as_json:
        _print_json(facts)
        return
    from cluster.progress import duration

    seconds = wanted_cost.seconds
    kinds = ", ".join(f"{kind} {count}" for kind, count in wanted_cost.stages.items())
    _print_table(
        f"{spec.name}: {spec.question}" if spec.question else spec.name,
        [
            ("cells", f"{wanted_cost.cells:,}"),
            ("unique stages", f"{len(planned.stages):,} ({kinds})"),
            (
                "training steps",
                f"{wanted_cost.train_steps:,} shared, {wanted_cost.train_steps_alone:,} cell by cell: "
                f"{wanted_cost.steps_factor:.1f} times fewer",
            ),
            (
                "evaluations",
                f"{wanted_cost.evaluations:,} shared, {wanted_cost.evaluations_alone:,} cell by cell: "
                f"{wanted_cost.evaluations_factor:.1f} times fewer",
            ),
            (
                "disk still to take",
                f"{wanted_cost.disk_bytes / 1e6:,.0f} MB for checkpoints "
                f"({wanted_cost.kept_checkpoints} are kept in all)",
            ),
            (
                "published already",
                f"{wanted_cost.stages_published:,} stages, "
                f"{wanted_cost.artifacts_published:,} of {wanted_cost.artifacts:,} artifacts",
            ),
            (
                "time",
                "unknown, until a stage has been measured in this store"
                if seconds is None
                else f"about {duration(seconds)} with {wanted_cost.slots} at once, from what was measured",
            ),
            *(
                ("leak, marked", f"{each.corpus}, repetitions={count}: {each.leak}")
                for count, found in planned.audits.items()
                for each in found
                if each.leak is not None
            ),
            *((("overrides", "; ".join(overrides)),) if overrides else ()),
        ],
    )


@app.command()
def run(
    space: Space,
    overrides: Overrides = None,
    study: StudyOption = None,
    store: StoreOption = None,
    address: AddressOption = None,
) -> None:
    """Run a study; the same command goes on where it stopped."""
    from search_spaces.loading import load_space

    spec = load_space(space, overrides or [])
    _run(spec, _study_path(study, spec.name), store, address, space, overrides or [])


@app.command()
def resume(folder: StudyArgument, address: AddressOption = None) -> None:
    """Go on with a study from what its folder says."""
    from cluster.study_folder import StudyFolder
    from search_spaces.loading import validate

    content = StudyFolder(folder).recorded().content
    spec = validate(content["spec"], place=str(folder / "study.json"))
    _run(spec, folder, None, address, content["space"], content["overrides"])


@app.command()
def status(folder: StudyArgument, as_json: Json = False) -> None:
    """Say how far a study is, and what failed and why. Starts nothing."""
    from cluster.status import study_status

    found = study_status(folder, _open_recorded_store(folder), _recorded_plan(folder))
    if as_json:
        _print_json(found.as_dict())
        return
    _print_table(
        str(folder),
        [
            ("cells", f"{found.cells_recorded:,} of {found.cells:,} have rows"),
            ("stages", f"{found.stages_published:,} of {found.stages:,} published"),
            ("failed", f"{len(found.failures):,}"),
            ("unreachable", f"{found.stages_unreachable:,} stages behind those that failed"),
            ("running now", found.holder or "no"),
        ],
    )
    for failure in found.failures:
        print(f"failed: {failure['label']}: {failure['cause']}: {failure['message']}")
    if found.cells_recorded < found.cells and not found.holder:
        print(f"Go on with: relearn resume {folder}")


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
    """Score the stored completions again; needs no model of the study's."""
    from cluster.rescore import rescore, text_scorer
    from cluster.study_folder import StudyFolder

    StudyFolder(folder).recorded()
    if metric == "judge":
        from cluster.judging import judge_study

        judge_study(folder, _open_recorded_store(folder).folder, judge, calls, at_once, print)
        return
    scored = rescore(folder, text_scorer(metric))
    print(f"{scored:,} probes have a score {metric}")


@app.command()
def report(folder: StudyArgument) -> None:
    """Write the study's report: one HTML file and its pictures."""
    from analysis.report import write_report

    print(write_report(folder))


@app.command()
def export(
    folder: StudyArgument,
    form: Annotated[str, typer.Option("--format", help="csv or parquet.")] = "csv",
    to: Annotated[Path | None, typer.Option("--to", help="Where [default: STUDY/export].")] = None,
) -> None:
    """Write cells and probes as one file each."""
    from analysis.export import export as write

    for path in write(folder, form, to):
        print(path)


@app.command()
def checkpoints(
    folder: StudyArgument,
    to: Annotated[Path | None, typer.Option("--to", help="Where [default: STUDY/checkpoints].")] = None,
) -> None:
    """Write the unlearned models as ordinary model folders."""
    from cluster.exporting import export_checkpoints

    target = to if to is not None else folder / "checkpoints"
    for path in export_checkpoints(_recorded_plan(folder), _open_recorded_store(folder), target):
        print(path)


def _run(
    spec: "StudySpec",
    folder: Path,
    store: str | None,
    address: str | None,
    space: str,
    overrides: list[str],
) -> None:
    from rich.console import Console

    from cluster.driver import run_study
    from cluster.preflight import check_plan
    from cluster.progress import duration
    from cluster.study_folder import StudyFolder

    console = Console(highlight=False, soft_wrap=True)
    planned, models = _planned(spec)
    check_plan(planned, local=address is None)
    study_folder = StudyFolder(folder)
    if store is None and study_folder.exists():
        place = _open_recorded_store(folder)
    else:
        place = _open_store(store, folder)
    inside = place.folder.resolve().is_relative_to(folder.resolve())
    recorded = (
        str(place.folder.resolve().relative_to(folder.resolve())) if inside else str(place.folder.resolve())
    )
    grown = study_folder.claim(
        spec,
        planned,
        models=models,
        inputs=spec.the_scenario.inputs(),
        store=recorded,
        space=space,
        overrides=overrides,
        command=["relearn", *sys.argv[1:]],
    )
    for line in grown:
        console.print(f"This study {line}.")
    place.prepare()
    outcome = run_study(study_folder, planned, place, address, console)
    console.print(
        f"{outcome.cells_recorded:,} of {outcome.cells:,} cells; {outcome.stages_run:,} stages run now "
        f"({outcome.train_steps:,} training steps, {outcome.evaluations:,} evaluations) in "
        f"{duration(outcome.wall_seconds)}."
    )
    if outcome.stages_failed:
        console.print(
            f"{outcome.stages_failed} stages failed and {outcome.stages_unreachable} behind them were "
            f"not reached; `relearn status {folder}` says why."
        )
    if outcome.interrupted:
        console.print(f"Interrupted. Go on with: relearn resume {folder}")
    raise typer.Exit(outcome.exit_code)


def _planned(spec: "StudySpec") -> "tuple[Plan, dict[str, str]]":
    """The plan, and the fingerprint of each model that it names."""
    from study.plan import make_plan
    from study.pretrained import fingerprint

    models: dict[str, str] = {}

    def remembered(location: str) -> str:
        models[location] = models.get(location) or fingerprint(location)
        return models[location]

    return make_plan(spec, remembered), models


def _recorded_plan(folder: Path) -> "Plan":
    """The plan of a study from its folder alone: models by their recorded fingerprints."""
    from cluster.study_folder import StudyFolder
    from search_spaces.loading import validate
    from study.plan import make_plan

    recorded = StudyFolder(folder).recorded()
    spec = validate(recorded.spec, place=str(folder / "study.json"))
    return make_plan(spec, lambda location: recorded.models[location])


def _study_path(study: Path | None, name: str) -> Path:
    return study if study is not None else Path("studies") / name


def _open_store(store: str | None, folder: Path) -> "LocalStore":
    from cluster.local_store import LocalStore

    if store is None:
        return LocalStore(folder / "store")
    if "://" in store and not store.startswith("file://"):
        raise SpecError(
            f"--store {store}: this version keeps artifacts in folders (a local disk, or one that all "
            "nodes share); give a folder"
        )
    return LocalStore(Path(store.removeprefix("file://")))


def _open_recorded_store(folder: Path) -> "LocalStore":
    from cluster.local_store import LocalStore
    from cluster.study_folder import StudyFolder

    return LocalStore(folder / StudyFolder(folder).recorded().store)


def _weight_bytes(model: str) -> int:
    """Bytes of a checkpoint of a model folder, taken as the bytes of its own weights."""
    return sum(path.stat().st_size for path in Path(model).glob("*.safetensors"))


def _local_slots(spec: "StudySpec") -> int:
    return max(1, len(os.sched_getaffinity(0)) // spec.execution.cpus)


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=1, ensure_ascii=False))


def _print_table(title: str, rows: Iterable[tuple[str, str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=None, show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for name, value in rows:
        table.add_row(name, Text(value))  # as it is: brackets are no markup here
    console = Console(highlight=False)
    console.print(title, markup=False)
    console.print(table)


def main() -> None:
    """The console script: runs the app, and turns a RelearnError into words and an exit code."""
    try:
        app()
    except RelearnError as error:
        print(f"relearn: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
