"""Numbers of a model's config.json: as they stand there or, where its type names them otherwise, by transformers.

Without torch in the first case, which is most models': transformers' own configurations bring it along.
"""

import json
from pathlib import Path
from typing import Any

from study.errors import PreflightError


def number_of(folder: Path, name: str, default: int | None = None) -> int:
    """A number of the model in this folder, by the name that Llama's configuration gives it.

    Of a model of texts and images it is the text model's.

    Args:
        default: the number of a model whose configuration has none of that name.

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
    """A JSON object of a model's folder; empty where there is no such file.

    Raises:
        ValueError: the file is no JSON.
    """
    content = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return content if isinstance(content, dict) else {}
