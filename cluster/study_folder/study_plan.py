"""How a study in a folder is planned: models stay at the revisions with which the study began."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cluster.study_folder.search_record import points_so_far
from cluster.study_folder.study_folder import STUDY_FILE, StudyFolder
from cluster.study_folder.working_folder import where_begun
from study.planning.materials import Materials, read_materials
from study.planning.plan import Plan
from study.planning.planner import make_plan
from study.planning.proposer import Point
from study.planning.served_names import check_told_apart
from study.spec import StudySpec

PlanOf = Callable[[Sequence[Point]], Plan]
"""The plan of some points."""

Validate = Callable[[Mapping[str, Any], str], StudySpec]
"""Plain data becomes a spec; the second argument says in messages where the data stands."""


def planning_of(
    materials: Materials, folder: Path, *, computing: bool = True
) -> tuple[dict[str, str], PlanOf]:
    """How the points of a spec are planned, in a folder that may hold a begun study.

    Args:
        computing: whether the plan is to be computed; else a model's configuration is enough, without its weights.

    Returns:
        The fingerprint of each model that was planned so far, by its location, and the planning.
    """
    from study.models.pretrained import fingerprint
    from study.performing.service.snapshots import snapshots

    study = StudyFolder(folder)
    asked: dict[str, str] = {}
    recorded = study.recorded().models if study.exists() else {}
    models = {name: pinned for name, pinned in recorded.items() if not Path(name).exists()}

    relearn = materials.spec.relearn
    snapshot = snapshots(relearn, recorded)

    def remembered(location: str) -> str:
        if relearn.by != "weights" and location not in materials.spec.model:
            models[location] = asked.get(location) or snapshot(location)
            asked[location] = models[location]
        else:
            models[location] = models.get(location) or fingerprint(location, weights=computing)
        return models[location]

    def planned(points: Sequence[Point]) -> Plan:
        plan = make_plan(materials, remembered, points)
        check_told_apart(plan.spec, plan.cells)  # here, so that a study begun before can still be read
        return plan

    return models, planned


def recorded_spec(folder: Path, validate: Validate) -> StudySpec:
    """The spec of a begun study.

    Raises:
        SpecError: there is no study, or its spec is not valid.
        PreflightError: it was begun by a version that computes other numbers.
    """
    return validate(StudyFolder(folder).replannable().spec, str(folder / STUDY_FILE))


def recorded_plan(folder: Path, validate: Validate) -> Plan:
    """The plan of a begun study, from its folder alone; raises as ``recorded_spec`` does."""
    spec = recorded_spec(folder, validate)
    models = StudyFolder(folder).recorded().models
    with where_begun(folder) as there:
        return make_plan(read_materials(spec), models.__getitem__, points_so_far(there, spec))
