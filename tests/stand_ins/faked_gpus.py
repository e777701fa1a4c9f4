"""Processes in which torch says that there is a GPU, on a machine without one; what is computed there is on the CPU."""

import os
from pathlib import Path


def faked_gpus(tmp_path: Path, *, begin: str = "pass", loss: str = "pass") -> dict[str, str]:
    """An environment in which CUDA answers, as far as ``study.models.hardware`` asks it.

    Args:
        begin, loss: lines of Python that run where CUDA begins, and before each loss of gradient ascent, with ``node``
            the id of the process's Ray node and ``actor`` whether it is a worker of Tune's.
    """
    folder = tmp_path / "faked"
    folder.mkdir()
    act, before = ("\n".join(f"    {line}" for line in lines.splitlines()) for lines in (begin, loss))
    (folder / "sitecustomize.py").write_text(
        f"""
import importlib.abc, importlib.util, sys
from types import SimpleNamespace

def place():
    import ray
    context = ray.get_runtime_context()
    return context.get_node_id(), context.get_actor_id() is not None

def begin():
    node, actor = place()
{act}

def before_loss():
    node, actor = place()
{before}

def hardware(module):
    import torch
    torch.cuda.init = begin
    torch.cuda.is_available = lambda: True
    torch.cuda.get_device_properties = lambda index: SimpleNamespace(name="A Card", total_memory=2**36)
    torch.cuda.set_per_process_memory_fraction = lambda share: None
    module.GPU = "cpu"

def gradient_ascent(module):
    loss = module.GradientAscent.loss
    module.GradientAscent.loss = lambda self, *a, **k: (before_loss(), loss(self, *a, **k))[1]

PATCHES = {{"study.models.hardware": hardware, "study.unlearning.gradient_ascent": gradient_ascent}}

class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        patch = PATCHES.pop(name, None)
        if patch is None:
            return None
        spec = importlib.util.find_spec(name)
        run = spec.loader.exec_module
        spec.loader.exec_module = lambda module: (run(module), patch(module))
        return spec

sys.meta_path.insert(0, Finder())
"""
    )
    return {"PYTHONPATH": os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])}
