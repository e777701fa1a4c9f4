"""What a repair moves aside: kept under the same relative name, and never what lies behind a link that leads out."""

from pathlib import Path

from cluster.storage.store import QUARANTINE


def move_aside(path: Path, root: Path, stamp: str) -> Path | None:
    """Into the quarantine of a store's or a study's folder, under the same relative name; None where it is gone."""
    if not (path.exists() or path.is_symlink()):
        return None
    path = path.parent.resolve() / path.name
    if not path.is_relative_to(root):  # behind a link that leads elsewhere
        return None
    target = root / QUARANTINE / stamp / path.relative_to(root)
    target.parent.mkdir(parents=True, exist_ok=True)
    path.replace(target)
    return target
