"""Model FLOP utilisation: the operations of a grid's unique steps, over what the accelerator could do meanwhile.

After Chowdhery et al. 2022 (PaLM, appendix B): a trained token costs 6 operations for each weight, 2 forward and 4
back; 4 where the weights are frozen and only adapters learn. Attention's own operations are left out, and so are
evaluations and tokens without a loss, so the figure is low rather than high.
"""

from collections.abc import Collection, Mapping
from pathlib import Path

FULL, ADAPTERS = 6, 4
"""Operations for each weight and trained token."""

PEAK: Mapping[str, Mapping[str, float]] = {
    "H200": {"float32": 67e12, "bfloat16": 989e12},
    "H100": {"float32": 67e12, "bfloat16": 989e12},
    "A100": {"float32": 19.5e12, "bfloat16": 312e12},
    "L40S": {"float32": 91.6e12, "bfloat16": 362e12},
    "L4": {"float32": 30.3e12, "bfloat16": 121e12},
}
"""Dense operations a second, without sparsity, by a word of the accelerator's name; from the makers' data sheets."""


def peak_of(accelerator: str | None, precision: str) -> float | None:
    """Operations a second at most; None without an accelerator, or where its peak is not known here."""
    kind = "float32" if precision == "float32" else "bfloat16"
    for name, peaks in PEAK.items():
        if accelerator is not None and name in accelerator.replace("-", " ").split():
            return peaks[kind]
    return None


def weights_of(model: Path) -> int:
    """How many weights a model folder has; tied ones are there once."""
    from safetensors import safe_open

    total = 0
    for path in sorted(model.glob("*.safetensors")):
        with safe_open(path, "pt") as file:
            for name in file.keys():  # noqa: SIM118 - it is no mapping
                size = 1
                for extent in file.get_slice(name).get_shape():
                    size *= extent
                total += size
    return total


def utilisation(
    weights: int, tokens: Mapping[str, int], adapters: Collection[str], seconds: float, peak: float
) -> float:
    """From 0 to 1.

    Args:
        tokens: kind of stage → its unique trained tokens.
        adapters: the kinds that train adapters.
        seconds: of wall time.
        peak: operations a second of all accelerators together.
    """
    each = {kind: ADAPTERS if kind in adapters else FULL for kind in tokens}
    return weights * sum(count * each[kind] for kind, count in tokens.items()) / (seconds * peak)
