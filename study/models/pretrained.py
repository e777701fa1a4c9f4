"""Finds and identifies a pretrained model before anything is loaded. Without torch.

A folder's identity is the SHA-256 over its files; a hub model's is the revision that its id resolves to,
which is then pinned; an adapter's is its own files and its base. Weights load from safetensors only, and no
code comes with a model.

Configuration and generation settings are the innermost base's, as peft and transformers have it; the tokenizer, with
its chat template, is the outermost folder's that has one, as whoever trained the adapter saved it.
"""

import hashlib
from collections.abc import Sequence
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

from study.errors import PreflightError
from study.identity import file_sha256
from study.models.adapters.peft_folder import (
    CONFIG,
    adapters_of,
    base_of,
    is_adapter,
    is_cut_off,
    refuse_misfit,
    weight_types,
)
from study.models.config_json import read
from study.models.known_hashes import known_sha256

PATTERNS = ("*.json", "*.safetensors", "*.model", "*.txt", "*.jinja")
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt")
TEMPLATE = "chat_template.jinja"
SETTINGS = ("generation_config.json", "tokenizer_config.json", "model.safetensors.index.json")
"""Files that a folder may lack, and that must be JSON where it has them."""
QUANTISED = ("quantize_config.json", "quant_config.json")
"""What older tools write beside the weights that they quantised."""
WITH_A_MASK = ("xlm", "xlnet")
"""Types that transformers lists among the causal language models, and that are none (docs/MODELS.md)."""
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
REVISION_CHARACTERS = 40


def fingerprint(location: str, *, weights: bool = True) -> str:
    """The content identity of a model folder or hub id.

    Args:
        weights: whether the folder has to hold some; else its config.json is enough.

    Raises:
        PreflightError: it is not there, or is no model that can be loaded safely.
    """
    folder = Path(location)
    if not weights and (folder / "config.json").is_file() and not any(folder.glob("*.safetensors")):
        _check_type(folder, location)
        return _folder_digest(folder)
    if folder.is_dir():
        return _of_folder(folder)
    if folder.is_absolute() or location.startswith(".") or location.count("/") > 1:
        raise PreflightError(
            f"model={location}: no such folder; expected a model folder, a hub id such as "
            "HuggingFaceTB/SmolLM2-135M, or `embedded`"
        )
    snapshot = Path(_download(location, revision=None))
    if is_adapter(snapshot):
        raise PreflightError(
            f"model={location}: an adapter; download it into a folder (`hf download {location} --local-dir DIR`) "
            "and name that"
        )
    if not any(snapshot.glob("*.safetensors")):
        _refuse_without_weights(location, _pickles_on_the_hub(location, snapshot.name))
    _check_folder(snapshot, location)
    return snapshot.name


def local_folder(location: str, pinned: str) -> str:
    """The folder of a model's files on this node; a hub model is downloaded at its pinned revision.

    For an adapter these are its innermost base's files.

    Raises:
        PreflightError: a hub model cannot be downloaded, or a folder or an adapter's base changed since it was pinned.
    """
    folder = Path(location)
    if not folder.is_dir():
        return _download(location, revision=pinned)
    if (_of_folder(folder) if is_adapter(folder) else _folder_digest(folder)) != pinned:
        raise PreflightError(
            f"model={location}: a file of it, or of the base of an adapter, changed since the study began (or the "
            "study is of a version that took neither an adapter's own tokenizer nor an adapter of an adapter): put the "
            "files back, or begin another study with --study"
        )
    if not is_adapter(folder):
        return location
    base = base_of(folder)
    return local_folder(base, fingerprint(base))


def tokenizer_folder(location: str, pinned: str) -> tuple[Path, Path | None]:
    """The folder whose tokenizer a model is used with, and the chat template that stands in its tokenizer's place.

    Returns:
        The outermost folder that has a tokenizer, of an adapter, the adapters below it and their base; and the
        template of an adapter further out that brings none but a template along, or else None.

    Raises:
        PreflightError: see ``local_folder``.
    """
    base = Path(local_folder(location, pinned))
    template: Path | None = None
    for folder in reversed(adapters_of(location)):
        if _has_tokenizer(folder):
            return folder, template
        if template is None and (folder / TEMPLATE).is_file():
            template = folder / TEMPLATE
    return base, template


def _has_tokenizer(folder: Path) -> bool:
    return any((folder / name).is_file() for name in TOKENIZERS)


def _of_folder(folder: Path) -> str:
    if not is_adapter(folder):
        _check_folder(folder, str(folder))
        return _folder_digest(folder)
    _refuse_unreadable_settings(folder, str(folder))
    adapters_of(str(folder))  # refuses one that leads back to itself
    base = base_of(folder)
    identity = fingerprint(base)
    weights = Path(local_folder(base, identity))
    refuse_misfit(folder, weights)
    parts = [_folder_digest(folder), identity]
    if is_adapter(Path(base)) or _brings_a_tokenizer(folder, weights):
        # Versions before used the outermost adapter and the base's tokenizer: theirs are other numbers.
        parts.append("the whole chain and its own tokenizer")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:REVISION_CHARACTERS]


def _brings_a_tokenizer(folder: Path, base: Path) -> bool:
    """Whether an adapter's tokenizer or chat template is another than its base's, byte by byte."""
    if not _has_tokenizer(folder) and not (folder / TEMPLATE).is_file():
        return False
    names = (*TOKENIZERS, TEMPLATE, "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")
    digests = [
        [file_sha256(each / name) if (each / name).is_file() else None for name in names]
        for each in (folder, base)
    ]
    return digests[0] != digests[1]


def _refuse_unreadable_settings(folder: Path, shown: str) -> None:
    for name in SETTINGS:
        try:
            read(folder / name)
        except (ValueError, RecursionError) as error:
            raise PreflightError(
                f"model={shown}: {name} cannot be read ({error}); download it again, or save it again with "
                "save_pretrained"
            ) from error


def _download(name: str, revision: str | None) -> str:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    try:
        return snapshot_download(name, revision=revision, allow_patterns=list(PATTERNS))
    except GatedRepoError as error:
        raise PreflightError(
            f"model={name}: gated on the hub; accept its terms there and log in with `hf auth login`"
        ) from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise PreflightError(
            f"model={name}: neither a folder here nor a model on the hub; check the spelling"
        ) from error
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise PreflightError(
            f"model={name}: not in the local cache, and the hub cannot be reached "
            f"({type(error).__name__}); give a folder, or download it once while online"
        ) from error


def _pickles_on_the_hub(name: str, revision: str) -> list[str]:
    from huggingface_hub import list_repo_files
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    try:
        files = list_repo_files(name, revision=revision)
    except (HfHubHTTPError, OfflineModeIsEnabled, OSError):
        return []  # the cache alone does not show which files were not downloaded
    return sorted(file for file in files if any(fnmatch(file, pattern) for pattern in PICKLES))


def _refuse_without_weights(shown: str, pickles: Sequence[str]) -> None:
    if pickles:
        raise PreflightError(
            f"model={shown}: holds its weights only as pickles ({pickles[0]}), which can run code when loaded; convert "
            "them once with save_pretrained(folder, safe_serialization=True)"
        )
    raise PreflightError(f"model={shown}: has no weights; expected model.safetensors beside config.json")


def _check_folder(folder: Path, shown: str) -> None:
    """Refuses what is missing.

    Args:
        shown: the folder or hub id that the user named.
    """
    if not (folder / "config.json").is_file():
        raise PreflightError(
            f"model={shown}: has no config.json; expected a folder as save_pretrained writes it"
        )
    if (folder / CONFIG).is_file():
        raise PreflightError(
            f"model={shown}: holds a model (config.json) and an adapter ({CONFIG}), and transformers would load the "
            "adapter's base instead of the model; keep one of them in a folder of its own"
        )
    if not any(folder.glob("*.safetensors")):
        _refuse_without_weights(
            shown, sorted(path.name for pattern in PICKLES for path in folder.glob(pattern))
        )
    if not _has_tokenizer(folder):
        raise PreflightError(
            f"model={shown}: has no tokenizer; expected one of {', '.join(TOKENIZERS)} beside the weights"
        )
    _check_type(folder, shown)
    _refuse_unreadable_settings(folder, shown)
    _refuse_quantised(folder, shown)
    _refuse_incomplete(folder, shown)
    _refuse_whole_numbers(folder, shown)


def _refuse_quantised(folder: Path, shown: str) -> None:
    """Quantised weights cannot be trained, and each kind needs a library of its own even to be read."""
    config = read(folder / "config.json")
    parts = [config, *(part for part in config.values() if isinstance(part, dict))]
    found = next((part["quantization_config"] for part in parts if part.get("quantization_config")), None)
    method = found.get("quant_method") if isinstance(found, dict) else None
    if found is None and not any((folder / name).is_file() for name in QUANTISED):
        return
    raise PreflightError(
        f"model={shown}: its weights are quantised ({method or 'see quantization_config in config.json'}), and "
        "quantised weights cannot be trained here; take the model that it was made from, or save it once in bfloat16 "
        "(from_pretrained, dequantize(), save_pretrained)"
    )


def _refuse_incomplete(folder: Path, shown: str) -> None:
    """As a killed download or copy leaves a folder: shards are missing, or a file ends too early."""
    files = sorted(folder.glob("*.safetensors"))
    if not (folder / WEIGHTS).is_file():
        files_of_tensors = read(folder / INDEX).get("weight_map", {})
        if not isinstance(files_of_tensors, dict) or not all(
            isinstance(name, str) for name in files_of_tensors.values()
        ):
            raise PreflightError(
                f"model={shown}: {INDEX} has a weight_map that names no file for each tensor; download it again, "
                "or save it again with save_pretrained"
            )
        shards = set(files_of_tensors.values())
        missing = sorted(shards - {file.name for file in files}) if shards else [WEIGHTS]
        if missing:
            raise PreflightError(
                f"model={shown}: incomplete, {missing[0]} is missing beside {files[0].name}; copy or export it again"
            )
    cut_off = [file.name for file in files if is_cut_off(file)]
    if cut_off:
        raise PreflightError(
            f"model={shown}: incomplete, {cut_off[0]} ends before its last tensor; copy or export it again"
        )


def _refuse_whole_numbers(folder: Path, shown: str) -> None:
    """Quantised weights of which the configuration says nothing would be read as they are, without their scales."""
    for file in sorted(folder.glob("*.safetensors")):
        for name, kind in weight_types(file).items():
            if name.endswith(".weight") and kind.startswith(("I", "U")):
                raise PreflightError(
                    f"model={shown}: {name} in {file.name} holds whole numbers ({kind}), as quantised weights do, and "
                    "config.json has no quantization_config; take the model that it was made from"
                )


def _check_type(folder: Path, shown: str) -> None:
    """Whether transformers itself knows the architecture; code that comes with a model is never run."""
    from transformers.models.auto.auto_mappings import CONFIG_MAPPING_NAMES

    try:
        config = read(folder / "config.json")
    except ValueError as error:
        raise PreflightError(f"model={shown}: config.json cannot be read ({error})") from error
    kind, own_code = config.get("model_type"), "auto_map" in config
    if not isinstance(kind, str):
        raise PreflightError(
            f"model={shown}: model_type is {kind!r} in its config.json; expected the name of a type, such as 'llama'"
        )
    if kind in WITH_A_MASK:
        raise PreflightError(
            f"model={shown}: a model of type {kind!r} generates by filling in a mask, and its loss is of masked words; "
            "expected a causal language model"
        )
    family = CONFIG_MAPPING_NAMES.get(str(kind), "").removesuffix("Config")
    if family and config.get("architectures") == [f"{family}ForCausalLM"]:
        return  # the table of all causal language models would import torch
    from transformers import CONFIG_MAPPING, __version__
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    if kind in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        return
    if kind in CONFIG_MAPPING:
        raise PreflightError(
            f"model={shown}: a model of type {kind!r} does not continue texts; expected a causal language model"
        )
    if own_code:
        raise PreflightError(
            f"model={shown}: comes with code of its own (auto_map in config.json), which relearn never runs, and "
            f"transformers {__version__} does not know its type {kind!r} itself; take a model of a type that it knows"
        )
    raise PreflightError(
        f"model={shown}: transformers {__version__} knows no model of type {kind!r}; update transformers, or check "
        "model_type in config.json"
    )


def _folder_digest(folder: Path) -> str:
    files = sorted({path for pattern in PATTERNS for path in folder.glob(pattern)})
    stats = [path.stat() for path in files]
    return _digest_of(tuple(files), tuple((stat.st_ino, stat.st_size, stat.st_mtime_ns) for stat in stats))


@cache
def _digest_of(files: tuple[Path, ...], unchanged: tuple[tuple[int, int, int], ...]) -> str:
    """Hashed once a process, for as long as no file is another one, longer or shorter, or written again."""
    del unchanged
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path.name}\0{known_sha256(path)}\n".encode())
    return digest.hexdigest()[:REVISION_CHARACTERS]
