"""A whole study without Ray over a store in a bucket, in a child process, with a fault at its N-th storage operation.

    python -m tests.faults.bucket_operations MODE FOLDER STEP URL

MODE ``crash``: the process ends before the operation. ``report``: the operation takes effect and reports an error.
For N = 1, 1 + STEP, … until a study comes to its end without having had that many; FOLDER/N is then the study over
URL/N, gone on with once more where it crashed, from an empty folder. Prints the N done as JSON.
"""

import json
import os
import shutil
import sys
from collections.abc import Callable
from functools import partial, wraps
from pathlib import Path
from typing import Any

import torch

import cluster.storage.retry
from cluster.storage.objects.bucket import Bucket
from cluster.storage.retry import UnansweredError
from tests.faults.operations import CRASHED, in_a_child, study

OPERATIONS = ("read", "download", "upload", "create_blindly", "delete", "names")


def disturbed(folder: Path, url: str, mode: str, at: int, counted: Path) -> None:
    """A study with a fault; leaves the number of operations behind where it comes to its end."""
    count = 0

    def around(operation: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(operation)
        def run(*arguments: Any) -> Any:
            nonlocal count
            count += 1
            if count == at and mode == "crash":
                os._exit(CRASHED)
            done = operation(*arguments)
            if count == at and mode == "report":
                raise UnansweredError("done, and says that it is not", url)
            return done

        return run

    for name in OPERATIONS:
        setattr(Bucket, name, around(getattr(Bucket, name)))
    study(folder, url)
    counted.write_text(str(count))


def main() -> None:
    mode, folder, step, url = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    cluster.storage.retry.PAUSES = (0.0,) * len(cluster.storage.retry.PAUSES)
    done: list[int] = []
    at = 1
    while True:
        place, counted = folder / str(at), folder / f"{at}.count"
        code = in_a_child(partial(disturbed, place, f"{url}/{at}", mode, at, counted))
        if code == CRASHED:
            kept = folder / "log"
            if (place / "log").is_dir():
                shutil.move(place / "log", kept)
            shutil.rmtree(
                place, ignore_errors=True
            )  # the driver's machine is gone; its log stays for the test
            code = in_a_child(partial(study, place, f"{url}/{at}"))
            for path in kept.glob("*"):
                shutil.move(path, place / "log" / path.name)
            shutil.rmtree(kept, ignore_errors=True)
        if code != 0:
            sys.exit(f"operation {at}: the study ended with {code}")
        done.append(at)
        if counted.exists() and int(counted.read_text()) < at:
            break
        at += step
    print(json.dumps(done))


if __name__ == "__main__":
    main()
