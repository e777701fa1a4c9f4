"""Predicted against measured: a study is run, then `relearn plan` says what others over its store will take.

    python -m benchmarks.predicted_time FOLDER [--write]

The first study is the names grid of workload (a); the others differ from it in depths, step counts, corpora or seeds.
Each is planned over the store of the first alone, then run, and its wall seconds measured with everything that starts.
What was run already lies in FOLDER and is not run again.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.arms.base_model import base_folder
from benchmarks.comparison.workloads import WORKLOADS
from benchmarks.marked_section import replace_between

ROOT = Path(__file__).resolve().parents[1]
RELEARN = str(Path(sys.executable).parent / "relearn")
FIRST = ["depth=[6,8]", "repetitions=[7,3]"]
OTHERS = {
    "other depths and step counts": ["depth=[7,10,12]", "repetitions=[7,3]", "relearn_steps=[0,20,40,80]"],
    "longer texts: the corpus `retain`": ["depth=[6,8]", "repetitions=[7,3]", "corpus=[retain]"],
    "another seed, three corpora": ["depth=[8,10]", "seed=[1]", "corpus=[prefix,retain,gibberish]"],
}


def relearn(*arguments: str) -> str:
    """What the command prints; ends with it where it fails."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "RAY_worker_niceness": "0"}
    done = subprocess.run([RELEARN, *arguments], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"relearn {' '.join(arguments)} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


def sets(overrides: list[str]) -> list[str]:
    """As the words of a command."""
    return [word for override in overrides for word in ("--set", override)]


def one(folder: Path, space: Path, title: str, overrides: list[str]) -> dict[str, Any]:
    """Plans and runs one of the other studies over its own copy of the first study's store."""
    facts = folder / f"{title.replace(' ', '-').replace('`', '')}.json"
    if not facts.exists():
        study, store = folder / f"{facts.stem}.study", folder / f"{facts.stem}.store"
        for left in (study, store):
            shutil.rmtree(left, ignore_errors=True)
        shutil.copytree(folder / "first" / "store", store)
        common = [str(space), *sets(overrides), "--study", str(study), "--store", str(store)]
        planned = json.loads(relearn("plan", *common, "--json"))
        began = time.monotonic()
        relearn("run", *common)
        wall = time.monotonic() - began
        kept = {name: planned[name] for name in ("cells", "seconds", "start_up_seconds", "slots")}
        facts.write_text(json.dumps({"title": title, "overrides": overrides, "wall_seconds": wall, **kept}))
        shutil.rmtree(study)
        shutil.rmtree(store)
    content: dict[str, Any] = json.loads(facts.read_text())
    return content


def main() -> None:
    """See the module's text."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    workload = WORKLOADS["a"]
    space = folder / "space.json"
    model = base_folder(workload, folder, None)
    space.write_text(json.dumps(workload.spec(str(model)).model_dump(mode="json")))
    if not (folder / "first.done").exists():
        shutil.rmtree(folder / "first", ignore_errors=True)
        relearn("run", str(space), *sets(FIRST), "--study", str(folder / "first"))
        (folder / "first.done").touch()
    lines = [
        "| second study | cells | predicted s | of them to start | measured s | predicted / measured |",
        "|---|---|---|---|---|---|",
    ]
    for title, overrides in OTHERS.items():
        found = one(folder, space, title, overrides)
        lines.append(
            f"| {title} | {found['cells']} | {found['seconds']:.0f} | {found['start_up_seconds']:.0f} "
            f"| {found['wall_seconds']:.0f} | {found['seconds'] / found['wall_seconds']:.2f} |"
        )
        print(lines[-1], flush=True)
    if "--write" in sys.argv:
        replace_between(ROOT / "docs" / "PERFORMANCE.md", "estimate", "\n".join(lines))


if __name__ == "__main__":
    main()
