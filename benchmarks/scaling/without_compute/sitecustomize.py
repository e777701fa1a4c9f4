"""On a worker's path, this makes every stage publish blank answers and compute nothing: what is left is machinery."""

import importlib.abc
import importlib.machinery
import importlib.util
import sys
from types import ModuleType
from typing import Any


class Finder(importlib.abc.MetaPathFinder):
    """Replaces ``perform`` in the module where it is defined, once that is loaded."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        if name != "study.performing.perform":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is None or spec.loader is None:
            return None
        run = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            run(module)
            vars(module)["perform"] = nothing

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def nothing(stage: Any, store: Any, residents: Any, execution: Any, tell: Any) -> Any:
    """Publishes what a stage owes, without a model."""
    from study.evaluation.answers_file import ANSWERS_FILE, answers_table
    from study.performing.stage_work import Work, missing_addresses
    from study.results.files import write_pages

    evaluations = {evaluation.key: evaluation for _, evaluation in stage.evaluate}
    facts = {"train_tokens": 0, "train_seconds": 0.0, "evaluation_seconds": 0.0, "weight_distance": 0.0}
    for address in missing_addresses(stage, store):
        with store.staging() as folder:
            if address.what == "weights":
                (folder / "nothing").touch()
            else:
                probes = evaluations[address.what.removeprefix("answers-")].probes.probes
                blank = {"completion": "", "target_nll": 1.0, "target_rank": 1, "target_tokens": 1}
                rows = [{"probe": probe.name, **blank} for probe in probes]
                write_pages(answers_table(rows), folder / ANSWERS_FILE)
            if store.publish(address, folder, {"facts": facts}):
                tell("published", step=address.step, what=address.what)
    return Work()


sys.meta_path.insert(0, Finder())
