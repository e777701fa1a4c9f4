"""Which store a study uses: the one that the user gave, or the one that its folder says."""

from pathlib import Path

from cluster.local_store import LocalStore
from cluster.study_folder import StudyFolder
from study.errors import SpecError


def open_store(folder: Path, given: str | None) -> LocalStore:
    """The store of a study, begun or not.

    Args:
        given: a folder, or an address that begins with ``file://``; None: as recorded, else within the folder.

    Raises:
        SpecError: an address of another kind, or a folder whose study.json cannot be read.
    """
    if given is None:
        study = StudyFolder(folder)
        return LocalStore(folder / (study.recorded().store if study.exists() else "store"))
    if "://" in given and not given.startswith("file://"):
        raise SpecError(
            f"--store {given}: this version keeps artifacts in folders (a local disk, or one that all "
            "nodes share); give a folder"
        )
    return LocalStore(Path(given.removeprefix("file://")))
