"""Real processes whose unlearning does something more: sleeps, eats memory, starts a child."""

import re
from pathlib import Path


def before_each_loss(tmp_path: Path, does: str, method: str = "GradientAscent") -> dict[str, str]:
    """An environment in which a method does something before each loss, as a user's own might.

    Args:
        does: lines of Python.
        method: its class; the module is called the same.
    """
    module = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", method).lower()
    folder = tmp_path / "site"
    folder.mkdir()
    body = "\n".join(f"            {line}" for line in does.splitlines())
    (folder / "sitecustomize.py").write_text(
        f"""
import importlib.abc, sys

class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name != "study.unlearning.{module}":
            return None
        sys.meta_path.remove(self)
        import importlib.util
        spec = importlib.util.find_spec(name)
        run = spec.loader.exec_module

        def exec_module(module):
            run(module)
            loss = module.{method}.loss
            module.{method}.loss = lambda self, *a, **k: (act(), loss(self, *a, **k))[1]

        def act():
{body}

        spec.loader.exec_module = exec_module
        return spec

sys.meta_path.insert(0, Finder())
"""
    )
    return {"PYTHONPATH": str(folder)}
