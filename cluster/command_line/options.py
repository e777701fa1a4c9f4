"""Arguments and options that several verbs have, what each refuses at once, and the verbs in the groups of the help."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from study.artifacts.targets import existing_folder
from study.errors import SpecError

GROUPS = {
    "Before and while a study runs": ("plan", "run", "resume", "status", "logs", "stop", "cancel"),
    "Its results": ("report", "compare", "export", "checkpoints", "score", "verify"),
    "On somebody else's machines": ("submit", "cluster"),
    "For a red team": ("serve",),
}
EXAMPLES = """Examples:
  relearn plan names --set 'depth=[8,12]'
  relearn run names
  relearn report studies/names --open
"""


class GroupedHelp(TyperGroup):
    """The verbs in groups, each in the order in which a study needs them."""

    def format_commands(self, context: Any, formatter: Any) -> None:
        """Click's hook: one section of the help for each group."""
        for title, verbs in GROUPS.items():
            found = [(verb, self.commands[verb].get_short_help_str(80)) for verb in verbs]
            with formatter.section(title):
                formatter.write_dl(found)

    def format_epilog(self, context: Any, formatter: Any) -> None:
        """Click's hook: the examples, line by line."""
        formatter.write("\n" + EXAMPLES)


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        from study.identity import NUMERICS

        typer.echo(f"relearn {version('relearn')}, numerics {NUMERICS}")
        raise typer.Exit


def local_folder(given: Path | None) -> Path | None:
    """Refuses an address: a study's folder lies beside its driver, and only its store may lie in a bucket."""
    if given is not None and re.match(r"\w+:/", str(given)):
        address = str(given).replace(":/", "://", 1)
        raise SpecError(
            f"{address} is no folder: a study's folder lies on this machine; give one, and --store {address} to keep "
            "the artifacts there"
        )
    return given


def a_folder(parameter: typer.CallbackParam, given: Path | None) -> Path | None:
    """Refuses a path that is a file, or lies below one."""
    if given is not None:
        existing_folder(given, max(parameter.opts, key=len))
    return given


def _study_folder(parameter: typer.CallbackParam, given: Path | None) -> Path | None:
    return a_folder(parameter, local_folder(given))


def named_study(given: Path) -> Path:
    """A study's folder; a study that lies in studies/ may be called by its name alone."""
    local_folder(given)
    by_name = Path("studies") / given
    return by_name if not given.exists() and len(given.parts) == 1 and by_name.is_dir() else given


def study_or_address(given: str) -> str:
    """As ``named_study``; an address of object storage stays as it is."""
    return given if "://" in given else str(named_study(Path(given)))


def _complete_space(context: typer.Context, incomplete: str) -> list[str]:
    """The presets, which the front door knows, and the spec files of this folder.

    Where nothing is found, as of what holds a slash, the shell completes paths itself.
    """
    presets: Callable[[], Iterable[str]] = context.find_root().obj
    files = sorted(path.name for path in Path().glob("*") if path.suffix in (".yaml", ".yml", ".json"))
    return [name for name in (*presets(), *files) if name.startswith(incomplete)]


def one_of(*words: str) -> Callable[[str], list[str]]:
    """Completes a few words."""

    def complete(incomplete: str) -> list[str]:
        return [word for word in words if word.startswith(incomplete)]

    return complete


def _complete_key(incomplete: str) -> list[str]:
    """The first key of a ``--set``."""
    from study.spec import StudySpec

    return [f"{name}=" for name in StudySpec.model_fields if name.startswith(incomplete)]


def _complete_study(incomplete: str) -> list[str]:
    """The studies in studies/, by name, and those in this folder."""
    found = [path.parent.name for place in ("studies", ".") for path in Path(place).glob("*/study.json")]
    return [name for name in sorted(set(found)) if name.startswith(incomplete)]


Space = Annotated[
    str,
    typer.Argument(
        autocompletion=_complete_space,
        help="A preset (names), module:function, or a YAML or JSON file.",
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        autocompletion=_complete_key,
        help="Change the spec, e.g. --set depth=[8,12].",
    ),
]


SearchOption = Annotated[
    str | None,
    typer.Option(
        "--search",
        autocompletion=one_of("frontier", "cheapest"),
        help="Search instead of computing the grid: frontier, cheapest.",
    ),
]
ToleranceOption = Annotated[
    float | None, typer.Option("--tolerance", help="How exactly a search answers, in steps of the grid.")
]
BudgetOption = Annotated[
    str | None,
    typer.Option("--budget", metavar="KIND=AMOUNT", help="Of a search: trajectories=40, steps=… or hours=…"),
]
StudyOption = Annotated[
    Path | None,
    typer.Option("--study", help="The study's folder [default: studies/NAME].", callback=_study_folder),
]
StoreOption = Annotated[
    str | None,
    typer.Option(
        "--store", help="Where artifacts are kept: a folder or s3://…, gs://…, az://… [studies/store]."
    ),
]
WhereStoreOption = Annotated[
    str | None,
    typer.Option("--store", help="Where its artifacts are now [default: where study.json says]."),
]
AddressOption = Annotated[
    str | None, typer.Option("--address", help="A running Ray cluster [default: a local one].")
]
JobsOption = Annotated[
    str | None,
    typer.Option("--address", help="Of a study that was submitted: the cluster's http://HEAD:8265."),
]
WaitOption = Annotated[
    float,
    typer.Option("--wait-for-nodes", min=0, help="Seconds to wait for a cluster that still grows."),
]
StudyArgument = Annotated[
    Path,
    typer.Argument(
        autocompletion=_complete_study,
        callback=named_study,
        help="A study's folder, or the name of one in studies/.",
    ),
]
StudyOrAddress = Annotated[
    str,
    typer.Argument(
        autocompletion=_complete_study,
        callback=study_or_address,
        help="A study's folder or name, or s3://…",
    ),
]
StudiesArgument = Annotated[
    list[str],
    typer.Argument(
        autocompletion=_complete_study,
        callback=lambda given: [study_or_address(each) for each in given],
        metavar="DIR",
        help="Folders of studies, or s3://…",
    ),
]


def _to(default: str) -> Any:
    return typer.Option("--to", help=f"Where [default: {default}].", callback=a_folder)


ReportTo = Annotated[Path | None, _to("DIR/report; of several, beside the first")]
ExportTo = Annotated[Path | None, _to("STUDY/export")]
CheckpointsTo = Annotated[Path | None, _to("STUDY/checkpoints")]
FormatOption = Annotated[
    str,
    typer.Option(
        "--format", autocompletion=one_of("csv", "parquet", "netcdf"), help="csv, parquet or netcdf."
    ),
]
AdaptersOption = Annotated[
    bool,
    typer.Option("--adapters", help="Write PEFT adapters, of models that are adapters on a published one."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
VersionOption = Annotated[
    bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
]
