"""A study's description kept beside its artifacts in a bucket, so that it goes on where its folder is lost.

    STORE/studies/NAME/TIME-DIGEST.json   study.json as it was claimed; each change of the question is another text

The folder stays the truth for whoever has it; the copy is read only where there is none.
"""

import hashlib
import json
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cluster.storage.open_store import is_remote
from cluster.storage.store import Store
from cluster.study_folder.lease import hold
from cluster.study_folder.study_folder import STUDY_FILE, gone, store_of, store_that_is_there
from study.artifacts.atomic_write import write_json
from study.errors import IntegrityError, SpecError

STUDIES = "studies"


def keep_copy(store: Store, folder: Path, content: Mapping[str, Any]) -> None:
    """Keeps what study.json says, unless the last copy says it already.

    Args:
        content: of study.json, without secrets.
    """
    question = {name: content[name] for name in ("spec", "models", "inputs", "space", "overrides")}
    digest = hashlib.sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()[:12]
    place = f"{STUDIES}/{Path(os.path.realpath(folder)).name}"
    last = max(store.text_names(place), default="")
    if not last.endswith(f"-{digest}.json"):
        when = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
        store.create_text(f"{place}/{when}-{digest}.json", json.dumps(content, ensure_ascii=False, indent=1))


def fetch_copy(store: Store, folder: Path) -> None:
    """Writes study.json into a folder that has none, as it was when the study was last begun or grown.

    Raises:
        SpecError: the store keeps no study of the folder's name, or the folder has other things in it.
        IntegrityError: the copy cannot be read.
    """
    path = folder / STUDY_FILE
    others = any(folder.glob("[!.]*"))  # before study.json is looked for, which another command may write now
    if path.exists():
        return
    if others:
        raise SpecError(f"{folder} is no study and not empty: name an empty or new folder")
    name = Path(os.path.realpath(folder)).name
    last = max(store.text_names(f"{STUDIES}/{name}"), default=None)
    if last is None:
        known = sorted({each.split("/")[1] for each in store.text_names(STUDIES)})
        words = f"it has {', '.join(known)}" if known else "it has none"
        raise SpecError(
            f"{store.location} keeps no study called {name} ({words}): the folder's name must be the study's"
        )
    try:
        content = json.loads(store.read_text(last) or "")
    except ValueError as error:
        raise IntegrityError(f"{store.location}/{last} cannot be read as a study") from error
    with hold(folder) as lease:
        lease.check()
        if not path.exists():  # another command may have fetched it meanwhile, and gone on with it
            write_json(path, content, checksum=True)


def begun_store(folder: Path, given: str | None, needed: bool = False) -> Store:
    """The store of a begun study; where its folder is lost and the store lies in a bucket, its study.json comes back.

    Args:
        given: where the user says that the store is; None: as study.json says.
        needed: refuses a store that is not there, though the study has rows; else a line on stderr says so.

    Raises:
        SpecError: as ``store_of``, and where the store is needed and gone.
    """
    store = store_that_is_there(folder, given) if needed else store_of(folder, given)
    if given is not None and is_remote(store.location):
        fetch_copy(store, folder)
    elif not needed and (words := gone(folder, store)):
        sys.stderr.write(f"{words}. Until then its stages count as not computed.\n")
    return store
