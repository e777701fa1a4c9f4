"""Numbers of a model's config.json: as they stand there or, where its type names them otherwise, by transformers.

Without torch in the first case, which is most models': transformers' own configurations bring it along.
"""

import json
from pathlib import Path
from typing import Any


def number_of(folder: Path, name: str, default: int | None = None) -> int:
    """What transformers' configuration of the model in this folder has as ``name``.

    Args:
        default: where it has nothing under that name.

    Raises:
        AttributeError: it has none, and there is no default.
    """
    written = read(folder / "config.json").get(name)
    if isinstance(written, int):
        return written
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    found = getattr(config, name, default)
    if found is None:
        raise AttributeError(f"the configuration of {folder} has no {name}")
    return int(found)


def read(file: Path) -> dict[str, Any]:
    """A JSON object of a model's folder; empty where the file is not there."""
    content = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return content if isinstance(content, dict) else {}
