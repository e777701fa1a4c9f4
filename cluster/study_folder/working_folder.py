"""The folder where the user stood when a study's paths were given: models and data may be named from there.

It is recorded in study.json. Whoever reads the study from elsewhere goes there first, so that a relative path means
what it meant; it is no part of the question, and a study may be gone on with from another folder by its first command.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cluster.study_folder.study_folder import WORKING_FOLDER, StudyFolder
from study.errors import PreflightError


@contextmanager
def where_begun(folder: Path) -> Iterator[Path]:
    """Stands in the folder where a study's paths were given; gives the study's folder as it is called from there.

    A study of before has none recorded; then, and where it is gone, the paths are taken from where the user stands.

    Raises:
        SpecError: there is no study.
        PreflightError: as within the block; names the recorded folder where that is gone.
    """
    recorded = StudyFolder(folder).recorded().content.get(WORKING_FOLDER)
    here = Path.cwd()
    if recorded is None or Path(recorded) == here:
        yield folder
        return
    if not Path(recorded).is_dir():
        try:
            yield folder
        except PreflightError as error:
            raise type(error)(
                f"{error}\nThe paths of this study were given in {recorded}, which is not there: stand where they hold"
            ) from error
        return
    absolute = Path(os.path.realpath(folder))
    os.chdir(recorded)
    try:
        yield absolute
    finally:
        os.chdir(here)
