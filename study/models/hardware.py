"""What this machine computes with: its GPU's memory, and whether its processor knows bfloat16."""

import platform

WITHOUT_BFLOAT16 = ("AVX2", "DEFAULT")
"""What torch calls x86 processors on which it emulates bfloat16."""


def gpu_bytes() -> int | None:
    """Memory of the first GPU; None without one."""
    import torch

    return int(torch.cuda.get_device_properties(0).total_memory) if torch.cuda.is_available() else None


def emulates_bfloat16() -> str | None:
    """The processor's instructions in torch's words, where torch emulates bfloat16 with them; None elsewhere."""
    import torch

    capability: str = torch.backends.cpu.get_cpu_capability()
    known = platform.machine() in ("x86_64", "AMD64")
    return capability if known and capability in WITHOUT_BFLOAT16 else None


def has_flash_attention() -> bool:
    """Whether the package flash-attn and a GPU for it are here."""
    from transformers.utils.import_utils import is_flash_attn_2_available

    return bool(is_flash_attn_2_available())
