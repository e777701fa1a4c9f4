"""An adapter folder beside peft: what peft itself makes of the adapter, and of the adapters that lie below it.

The outermost adapter stays beside the weights, as peft runs it; those below are merged, since peft puts an adapter on
a plain model. So a merge of ours that drops or changes an adapter is seen.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from study.models.adapters.peft_folder import embedding_rows, is_adapter
from study.models.build import DTYPES
from study.models.devices.placement import CPU
from study.models.resident import Resident
from study.planning.stages import Pretrained


def peft_logits(resident: Resident, source: Pretrained, ids: list[int]) -> Tensor:
    """Logits of a text, of peft's own model of the folder: float32, on the resident's device, (length, vocabulary)."""
    from peft import PeftConfig, PeftModel
    from transformers import AutoModelForCausalLM

    folders, place = [], source.location
    while Path(place).is_dir() and is_adapter(Path(place)):
        folders.append(place)
        place = str(PeftConfig.from_pretrained(place).base_model_name_or_path)
    model: Any = AutoModelForCausalLM.from_pretrained(
        place,
        dtype=DTYPES[source.precision],
        attn_implementation=source.attention,
        use_safetensors=True,
        trust_remote_code=False,
    )
    for index, folder in enumerate(reversed(folders)):
        if index:
            model = model.merge_and_unload()
        rows = embedding_rows(Path(folder))
        if rows is not None:
            model.resize_token_embeddings(rows)
        model = PeftModel.from_pretrained(model, folder, use_safetensors=True)
    # What no card holds computes on the CPU, in the weights' own precision.
    where = CPU if resident.placement.is_spread or resident.placement.offload else resident.device
    model = model.to(where).eval()
    with torch.inference_mode(), resident.autocast():
        logits: Tensor = model(input_ids=torch.tensor([ids], device=where), use_cache=False).logits
    return logits[0].float().to(resident.device)
