"""The verbs `relearn submit` and `relearn cluster`, which the front door adds to its own.

What loads a space is handed in: this room does not know it.
"""

from collections.abc import Callable
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.command_line.options import Overrides, Space, StoreOption, local_folder, one_of
from study.errors import SpecError

if TYPE_CHECKING:  # `relearn --help` answers at once
    from study.planning.plan import Plan
    from study.spec import StudySpec


def _folder_there(given: str | None) -> str | None:
    if given is not None:
        local_folder(Path(given))
    return given


StudyThere = Annotated[
    str | None,
    typer.Option("--study", help="The study's folder on the cluster.", callback=_folder_there),
]


def add_verbs(
    app: typer.Typer,
    planned: "Callable[[str, list[str]], tuple[StudySpec, Callable[[], Plan]]]",
    root: Path,
) -> None:
    """Adds both to an app.

    Args:
        planned: a space's spec with overrides, and what plans its first round.
        root: the folder of the front door and the rooms.
    """

    @app.command()
    def submit(
        space: Space,
        address: Annotated[
            str, typer.Option("--address", help="Of the cluster's dashboard, http://HEAD:8265.")
        ],
        overrides: Overrides = None,
        study: StudyThere = None,
        store: StoreOption = None,
        wait: Annotated[
            float, typer.Option("--wait-for-nodes", min=0, help="Seconds to wait for nodes.")
        ] = 600.0,
        follow: Annotated[bool, typer.Option("--follow", help="Show what it prints, until it ends.")] = False,
    ) -> None:
        """Run a study as a job of a Ray cluster; given twice, it runs once."""
        from cluster.launching.submitting import submit as submitted

        spec, _ = planned(space, list(overrides or []))
        code = submitted(
            spec,
            address,
            study=study,
            store=store,
            wait=wait,
            follow=follow,
            root=root,
            say=lambda text: typer.echo(text, nl=False),
        )
        raise typer.Exit(code)

    @app.command()
    def cluster(
        kind: Annotated[
            str,
            typer.Argument(
                autocompletion=one_of("slurm", "kuberay", "sky", "vm"), help="slurm, kuberay, sky or vm."
            ),
        ],
        space: Space,
        overrides: Overrides = None,
        study: StudyThere = None,
        store: StoreOption = None,
        nodes: Annotated[int, typer.Option("--nodes", help="How many machines.")] = 1,
        cpus: Annotated[int, typer.Option("--cpus", help="CPU cores of each.")] = 8,
        gpus: Annotated[int, typer.Option("--gpus", help="GPUs of each.")] = 0,
        gpu_kind: Annotated[str | None, typer.Option("--gpu-kind", help="Which GPU, e.g. A100.")] = None,
        hours: Annotated[float, typer.Option("--hours", help="For how long.")] = 4.0,
        price: Annotated[
            float | None, typer.Option("--price", min=0, help="Of one machine for an hour, in any money.")
        ] = None,
        image: Annotated[
            str, typer.Option("--image", help="A container image that has relearn.")
        ] = "rayproject/ray:2.60.0-py311",
        volume: Annotated[
            str | None,
            typer.Option(
                "--volume", help="A claim (kuberay) or volume (sky), mounted around an absolute --study."
            ),
        ] = None,
    ) -> None:
        """Print a file that runs a study on Slurm, KubeRay, SkyPilot or machines."""
        from cluster.launching.files import launch_file
        from cluster.launching.machines import Machines

        if price is not None and not isfinite(price):
            raise SpecError(f"--price {price:g}: expected a finite number")
        spec, first_plan = planned(space, list(overrides or []))
        machines = Machines(nodes, cpus, gpus, gpu_kind, hours, image)
        plan = first_plan()
        machines.check(plan)
        text = launch_file(
            kind,
            name=spec.name,
            space=space,
            overrides=overrides or [],
            study=study,
            store=store,
            machines=machines,
            volume=volume,
        )
        typer.echo(text, nl=False)
        typer.echo(machines.in_words(plan, price), err=True)
