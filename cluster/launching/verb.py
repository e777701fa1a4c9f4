"""The verb `relearn cluster`, which the front door adds to its own.

What loads a space is handed in: this room does not know it.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.options import Overrides, Space, StoreOption

if TYPE_CHECKING:  # `relearn --help` answers at once
    from study.planning.plan import Plan
    from study.spec import StudySpec

StudyThere = Annotated[str | None, typer.Option("--study", help="The study's folder on the cluster.")]


def add_verb(
    app: typer.Typer,
    planned: "Callable[[str, list[str]], tuple[StudySpec, Callable[[], Plan]]]",
) -> None:
    """Adds it to an app.

    Args:
        planned: a space's spec with overrides, and what plans its first round.
    """

    @app.command()
    def cluster(
        kind: Annotated[str, typer.Argument(help="slurm, kuberay, sky or vm.")],
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
            float | None, typer.Option("--price", help="Of one machine for an hour, in any money.")
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
