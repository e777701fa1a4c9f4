"""A folder that holds a PEFT adapter instead of a model: which base it is for, and whether it fits. Without torch.

The base of an adapter may be an adapter itself: they are a chain, merged from the innermost to the outermost.
"""

import json
from pathlib import Path
from typing import Any

from study.errors import PreflightError

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


UNMERGEABLE = (
    "PROMPT_TUNING", "P_TUNING", "PREFIX_TUNING", "MULTITASK_PROMPT_TUNING", "ADAPTION_PROMPT", "CPT", "XLORA",
)  # fmt: skip
"""Kinds that put tokens or layers beside the model, and change no weight of it."""
EMBEDDINGS = ("embed_tokens", "wte", "embed_in", "word_embeddings", "embeddings")
"""What architectures call the layer that a token's number is looked up in."""


def is_adapter(folder: Path) -> bool:
    """Whether the folder holds an adapter and no model of its own."""
    return (folder / CONFIG).is_file() and not (folder / "config.json").is_file()


def adapters_of(location: str) -> tuple[Path, ...]:
    """The adapter folders of a model in the order in which they are merged: the outermost is the last.

    Raises:
        PreflightError: see ``base_of``; or an adapter is its own base, at whatever distance.
    """
    found: list[Path] = []
    folder = Path(location)
    while folder.is_dir() and is_adapter(folder):
        if any(folder.samefile(other) for other in found):
            raise PreflightError(
                f"model={location}: an adapter whose base leads back to itself; write the folder or hub id of the "
                f"model into base_model_name_or_path in {folder / CONFIG}"
            )
        found.insert(0, folder)
        folder = Path(base_of(folder))
    return tuple(found)


def embedding_rows(folder: Path) -> int | None:
    """How many tokens an adapter has embeddings for, where it brings the whole embedding along."""
    names = tuple(f".{name}.weight" for name in EMBEDDINGS)
    rows = (shape[0] for name, shape in weight_shapes(folder / WEIGHTS).items() if name.endswith(names))
    return max(rows, default=None)


def base_of(folder: Path) -> str:
    """Folder or hub id of the model that an adapter was trained on, as it says itself.

    Raises:
        PreflightError: it does not say, or its weights are not safetensors or incomplete.
    """
    if not (folder / WEIGHTS).is_file():
        raise PreflightError(
            f"model={folder}: an adapter without {WEIGHTS}; save it with safe_serialization=True"
        )
    if is_cut_off(folder / WEIGHTS):
        raise PreflightError(
            f"model={folder}: incomplete, {WEIGHTS} ends before its last tensor; copy the adapter again"
        )
    config = _config(folder)
    if config.get("peft_type") in UNMERGEABLE:
        raise PreflightError(
            f"model={folder}: an adapter of kind {config['peft_type']}, which cannot be merged into weights; "
            "expected one that can, such as LoRA"
        )
    base = config.get("base_model_name_or_path")
    if not base:
        raise PreflightError(
            f"model={folder}: an adapter that does not name its base; write base_model_name_or_path into {CONFIG}"
        )
    return str(base)


def refuse_misfit(folder: Path, base: Path) -> None:
    """Compares the shapes of an adapter's weights with those of its base's, from the files' headers.

    Raises:
        PreflightError: it was made for another base.
    """
    sizes = {
        name: shape
        for file in sorted(base.glob("*.safetensors"))
        for name, shape in weight_shapes(file).items()
    }
    config = _config(folder)
    if config.get("target_parameters") or config.get("modules_to_save"):
        return  # fused experts and whole layers: peft itself compares them when it loads
    transposed = bool(config.get("fan_in_fan_out"))
    for name, shape in weight_shapes(folder / WEIGHTS).items():
        layer, _, part = name.removeprefix("base_model.model.").partition(".lora_")
        if part[:1] not in ("A", "B"):
            continue
        # Some checkpoints leave the first part of the names out, which transformers puts before them.
        weight = sizes.get(f"{layer}.weight") or sizes.get(f"{layer.partition('.')[2]}.weight")
        ours, theirs = (shape[1], 1) if part.startswith("A") else (shape[0], 0)
        theirs = 1 - theirs if transposed else theirs
        if weight is None or weight[theirs] != ours:
            found = "it has no such layer" if weight is None else f"there it is {weight[theirs]}"
            raise PreflightError(
                f"model={folder}: an adapter of another base: {layer} takes {ours} values here, and in {base} "
                f"{found}; name the base that it was trained on in {CONFIG}"
            )


def _config(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except ValueError as error:
        raise PreflightError(f"model={folder}: {CONFIG} cannot be read ({error})") from error
    return found if isinstance(found, dict) else {}


def weight_shapes(file: Path) -> dict[str, list[int]]:
    """Name → shape, from the header of a safetensors file."""
    return {name: facts["shape"] for name, facts in _header(file)[0].items()}


def weight_types(file: Path) -> dict[str, str]:
    """Name → type of its numbers (``F32``, ``BF16``, ``I8`` …), from the header of a safetensors file."""
    return {name: facts["dtype"] for name, facts in _header(file)[0].items()}


def is_cut_off(file: Path) -> bool:
    """Whether a safetensors file is shorter than its header says."""
    try:
        header, start = _header(file)
    except ValueError:
        return True
    ends = (facts.get("data_offsets", (0, 0))[1] for facts in header.values())
    return file.stat().st_size < start + max(ends, default=0)


def _header(file: Path) -> tuple[dict[str, Any], int]:
    """What a safetensors file says of each tensor, and where the first one begins, in bytes."""
    with file.open("rb") as handle:
        length = int.from_bytes(handle.read(8), "little")
        header = json.loads(handle.read(min(length, file.stat().st_size)))
    if not isinstance(header, dict):
        raise ValueError(f"{file.name}: its header is no JSON object")
    header.pop("__metadata__", None)
    return header, 8 + length
