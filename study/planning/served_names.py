"""How the models of a study are called at a service, and that no two have one name."""

from collections.abc import Iterable

from study.errors import SpecError
from study.planning.plan import Cell
from study.planning.proposer import Point
from study.planning.served_nodes import ServedModel
from study.settings.relearning import OWN_NAMES, short_names
from study.spec import StudySpec


def name_of(spec: StudySpec, point: Point, start: str, method: str, repetitions: int, depth: int) -> str:
    """A model's name there, by ``relearn.models``.

    Args:
        point: has its model and seed.

    Raises:
        SpecError: the mapping has no such model, or the template cannot be filled.
    """
    relearn = spec.relearn
    if isinstance(relearn.models, dict):
        known = "0" if start == "original" else str(depth) if start == "unlearned" else None
        if known is None or int(known) not in relearn.models:
            raise SpecError(
                f"relearn.models: names no model for start={start}, depth={depth}; it has the depths "
                f"{', '.join(map(str, relearn.models))} (0 is the original)"
            )
        return relearn.models[int(known)]
    several = relearn.models == OWN_NAMES and len(spec.model) > 1
    before = f"{short_names(spec.model)[point.model]}/" if several else ""
    try:
        return before + relearn.models.format(
            model=point.model,
            start=start,
            method=method,
            repetitions=repetitions,
            seed=point.seed,
            depth=depth,
        )
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise SpecError(
            f"relearn.models={relearn.models}: expected a template over model, start, method, repetitions, "
            f"seed and depth, each in braces ({error})"
        ) from None


def check_told_apart(spec: StudySpec, cells: Iterable[Cell]) -> None:
    """That no two models of a study are asked under one name of the service.

    A mapping of depth to name is given where one model of the service has all seeds: they differ in the relearning
    alone. A template is taken at its word.

    Raises:
        SpecError: two are; it names both.
    """
    if spec.relearn.by == "weights":
        return
    mapped = isinstance(spec.relearn.models, dict)
    found: dict[str, dict[str, str | int]] = {}
    for cell in cells:
        if cell.relearn_steps or not isinstance(cell.checkpoint.of, ServedModel):
            continue
        here: dict[str, str | int] = {
            field: getattr(cell, field)
            for field in ("model", "start", "method", "repetitions", "seed", "depth")
            if not (mapped and field == "seed")
        }
        name = cell.checkpoint.of.model
        other = found.setdefault(name, here)
        fields = [field for field in here if here[field] != other[field]]
        if not fields:
            continue
        first, second = (", ".join(f"{field}={each[field]}" for field in fields) for each in (other, here))
        if mapped:
            raise SpecError(
                f"relearn.models: the models with {first} and with {second} would both be asked as {name!r}; a mapping "
                "tells depths apart and nothing else: give each depth a name of its own, or a template with "
                f"{_in_braces(fields)}"
            )
        raise SpecError(
            f"relearn.models={spec.relearn.models}: the models with {first} and with {second} would both be asked as "
            f"{name!r}; put {_in_braces(fields)} into it, or, where the service has one model for each depth, give a "
            "mapping of depth to name"
        )


def _in_braces(fields: list[str]) -> str:
    return " or ".join(f"{{{field}}}" for field in fields)
