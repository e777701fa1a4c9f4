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
) -> str:
    """The text of a file that runs a study on machines of that kind.

    Args:
        space, overrides: as ``relearn run`` takes them.
        study: the study's folder there; None: ``studies/NAME`` of the folder where the file is submitted.
        store: where artifacts are kept; None: within the study's folder, which all nodes have to share.

    Raises:
        SpecError: an unknown kind, a word with a control character, or nodes that share no folder without a store
            in a bucket.
    """
    if kind not in TEMPLATES:
        raise SpecError(f"{kind}: expected one of {', '.join(TEMPLATES)}{did_you_mean(kind, TEMPLATES)}")
    if store is not None:
        open_store(store)
    if (
        kind != "slurm"
        and machines.nodes > 1
        and not is_remote(store or "")
        and not Path(study or "").is_absolute()
    ):
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
        name=re.sub(r"[^a-z0-9-]+", "-", name.lower()).strip("-")[:40] or "study",
        command=shlex.join(words),
        machines=machines,
        minutes=max(1, round(machines.hours * 60)),
        go_on="|".join(map(str, GONE_ON_WITH)),
    )
