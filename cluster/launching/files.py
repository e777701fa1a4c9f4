"""A file for Slurm, KubeRay, SkyPilot or plain machines, from its template in ``templates/``.

Words of the user are quoted for the shell, and in YAML once more (``tojson``), so that a name cannot become a
command. A template names no secret: each makes or asks for its token where it runs.
"""

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from cluster.launching.machines import Machines
from cluster.storage.open_store import is_remote, open_store
from study.errors import SpecError, did_you_mean

TEMPLATES = {"slurm": "slurm.sh", "kuberay": "rayjob.yaml", "sky": "sky.yaml", "vm": "vm.sh"}
WITH_VOLUMES = ("kuberay", "sky")
GONE_ON_WITH = (6, 130)
"""Exit codes after which the same command goes on: a lost cluster, an interruption. Any other one is told."""


def launch_file(
    kind: str,
    *,
    name: str,
    space: str,
    overrides: Sequence[str],
    study: str | None,
    store: str | None,
    machines: Machines,
    volume: str | None = None,
) -> str:
    """The text of a file that runs a study on machines of that kind.

    Args:
        space, overrides: as ``relearn run`` takes them.
        study: the study's folder there; None: ``studies/NAME`` of the folder where the file is submitted.
        store: where artifacts are kept; None: within the study's folder, which all nodes have to share.
        volume: for pods and clouds, what is mounted on every node where the study's folder lies.

    Raises:
        SpecError: an unknown kind, a word with a control character, a volume that cannot be mounted, or nodes that
            share no folder without a store in a bucket.
    """
    if kind not in TEMPLATES:
        raise SpecError(f"{kind}: expected one of {', '.join(TEMPLATES)}{did_you_mean(kind, TEMPLATES)}")
    if store is not None:
        open_store(store)
    mount = None if volume is None else _mount(kind, volume, study)
    alone = not is_remote(store or "") and machines.nodes > 1
    if alone and kind in WITH_VOLUMES and volume is None:
        raise SpecError(
            f"--nodes {machines.nodes}: these nodes share no folder: give --store s3://…, gs://… or az://…, or "
            "--volume with an absolute --study in it"
        )
    if alone and kind == "vm" and not Path(study or "").is_absolute():
        raise SpecError(
            f"--nodes {machines.nodes}: these nodes share no folder: give --store s3://…, gs://… or az://…, or an "
            "absolute --study on storage that is mounted on all of them"
        )
    words = ["run", space]
    for each in overrides:
        words += ["--set", each]
    words += ["--study", study or f"studies/{name}"]
    if store is not None:
        words += ["--store", store]
    for each in words:
        if not each.isprintable():
            raise SpecError(
                f"{each!r}: a line break or another control character cannot stand in such a file"
            )
    loader = FileSystemLoader(Path(__file__).with_name("templates"))
    # No autoescape: nothing here is HTML, and each template quotes for the language that it is in.
    environment = Environment(loader=loader, undefined=StrictUndefined, keep_trailing_newline=True)  # noqa: S701
    return environment.get_template(f"{TEMPLATES[kind]}.jinja").render(
        name=re.sub(r"[^a-z0-9-]+", "-", name.lower())[:39].strip("-") or "study",  # of 47 with relearn-
        command=shlex.join(words),
        machines=machines,
        minutes=max(1, round(machines.hours * 60)),
        go_on="|".join(map(str, GONE_ON_WITH)),
        volume=volume,
        mount=mount,
    )


def _mount(kind: str, volume: str, study: str | None) -> str:
    """Where a volume is mounted: the folder that the study's lies in."""
    where = Path(study or "").parent
    if kind not in WITH_VOLUMES:
        raise SpecError(
            f"--volume {volume}: {kind} mounts none: mount it on each machine, and give --study there"
        )
    if not re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", volume):
        raise SpecError(f"--volume {volume}: expected the name of a volume: small letters, digits, - and .")
    if not where.is_absolute() or where == Path("/"):
        raise SpecError(
            f"--volume {volume}: give --study as an absolute folder within it, such as /shared/studies"
        )
    return str(where)
