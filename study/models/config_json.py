"""Numbers of a model's config.json: as they stand there or, where its type names them otherwise, by transformers.

Without torch in the first case, which is most models': transformers' own configurations bring it along.
"""

import json
from pathlib import Path
from typing import Any

from study.errors import PreflightError


def number_of(folder: Path, name: str, default: int | None = None) -> int:
    """What transformers' configuration of the model in this folder has as ``name``.

    Of a model of texts and pictures, what the part for texts has.

    Args:
        default: where it has nothing under that name.

    Raises:
        PreflightError: it has none, and there is no default.
    """
    written = read(folder / "config.json").get(name)
    if isinstance(written, int):
        return written
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(folder, trust_remote_code=False).get_text_config(decoder=True)
    found = getattr(config, name, default)
    if found is None:
        raise PreflightError(
            f"model={folder}: its config.json has no {name}; take a model whose type has one"
        )
    return int(found)


def read(file: Path) -> dict[str, Any]:
    """A JSON object of a model's folder; empty where the file is not there."""
    content = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return content if isinstance(content, dict) else {}
