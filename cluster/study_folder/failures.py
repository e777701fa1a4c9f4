"""Why stages fail: the one list of causes, and the records of failures in a study's folder."""

from study.planning.plan import Plan

SIGNS = {
    "storage": ("OSError", "TimeoutError"),
    "out of memory": ("OutOfMemoryError", "running low on memory", "OOM"),
    "lost node": ("node has died", "node died", "NodeDiedError", "its node", "nodes have died", "drained"),
}
"""Ray says in words why an actor died."""


def cause_of(text: str) -> str:
    """The cause that Ray's words about a dead actor tell of."""
    for cause, signs in SIGNS.items():
        if any(sign in text for sign in signs):
            return cause
    return "lost worker"


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
