"""A stage in a person's words."""

from study.plan import Plan


def label(plan: Plan, key: str) -> str:
    """Its kind, and the first of the cells that hang on it."""
    stage = plan.stages[key]
    cells = plan.cells_of[key]
    if not cells:
        return stage.kind
    cell = cells[0]
    parts = {
        "start": cell.start,
        "repetitions": cell.repetitions,
        "depth": cell.depth if stage.kind == "relearn" else None,
        "corpus": cell.corpus if stage.kind == "relearn" else None,
        "seed": cell.seed,
    }
    words = ", ".join(f"{name} {value}" for name, value in parts.items() if value is not None)
    return f"{stage.kind} ({words})"
