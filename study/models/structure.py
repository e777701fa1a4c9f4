"""What a model's class can do and which layers it has, found on a model without weights (torch's ``meta`` device)."""

from accelerate import init_empty_weights
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, LlamaForCausalLM, PreTrainedModel
from transformers.pytorch_utils import Conv1D

from study.errors import PreflightError
from study.models.build import embedded_config
from study.models.pretrained import local_folder
from study.models.tokenizer import Source
from study.planning.stages import Embedded
from study.settings.optimiser import LoRA


def without_weights(source: Source) -> PreTrainedModel:
    """The model of a source, every tensor on the ``meta`` device, weights that are one tensor tied.

    Raises:
        PreflightError: transformers cannot make a model of this configuration.
    """
    if isinstance(source, Embedded):
        with init_empty_weights():
            return LlamaForCausalLM(embedded_config(source))
    folder = local_folder(source.location, source.fingerprint)
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
        with init_empty_weights():
            model: PreTrainedModel = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
        model.tie_weights()  # the context above would make two tensors of one again
    except Exception as error:  # each architecture raises its own kind
        raise PreflightError(
            f"model={source.location}: transformers cannot make a model of its config.json "
            f"({type(error).__name__}: {error})"
        ) from error
    return model


def decoder_layers(model: PreTrainedModel) -> list[nn.Module]:
    """The layers of each list of as many modules as the configuration has layers."""
    layers = model.config.get_text_config(decoder=True).num_hidden_layers
    return [
        layer
        for module in model.modules()
        if isinstance(module, nn.ModuleList) and len(module) == layers
        for layer in module
    ]


def attentions(model: PreTrainedModel) -> tuple[str, ...]:
    """The values of ``attention`` that the model's class has, the fastest first."""
    known = {"flash_attention_2": model._supports_flash_attn, "sdpa": model._supports_sdpa, "eager": True}
    return tuple(name for name, supported in known.items() if supported)


def linear_layers(model: PreTrainedModel) -> set[str]:
    """The last parts of the names of the linear layers that an adapter can be added to.

    Absent are layers whose weight is another layer's too, such as an output layer that is tied to the embedding: what
    an adapter adds to the one would be added to the other.
    """
    owners: dict[int, int] = {}
    for _, parameter in model.named_parameters(remove_duplicate=False):
        owners[id(parameter)] = owners.get(id(parameter), 0) + 1
    return {
        name.rpartition(".")[2]
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear | Conv1D) and owners.get(id(module.weight)) == 1
    }


def refuse_lora(source: Source, lora: LoRA, key: str) -> None:
    """Tries an adapter on a model without weights.

    Args:
        key: where the adapter stands in the spec, for the message.

    Raises:
        PreflightError: it does not fit the model; with targets that do.
    """
    model = without_weights(source)
    known = linear_layers(model)
    named = set() if isinstance(lora.targets, str) else set(lora.targets)
    if named - known:
        raise PreflightError(
            f"{key}.lora.targets: the model has no layers of their own called {', '.join(sorted(named - known))}; it "
            f"has {', '.join(sorted(known))}"
        )
    if (misfit := _misfit(model, lora)) is None:
        return
    output = model.get_output_embeddings()
    inner = known - {name.rpartition(".")[2] for name, each in model.named_modules() if each is output}
    fitting = [
        name
        for name in sorted(inner)
        if _misfit(without_weights(source), lora.model_copy(update={"targets": (name,)})) is None
    ]
    remedy = f"--set '{key}.lora.targets=[{', '.join(fitting)}]'" if fitting else f"--set {key}.lora=null"
    if lora.dropout and _misfit(without_weights(source), lora.model_copy(update={"dropout": 0.0})) is None:
        remedy += f", or --set {key}.lora.dropout=0"
    raise PreflightError(f"{key}.lora: the model cannot have this adapter ({misfit}); {remedy}")


def _misfit(model: PreTrainedModel, lora: LoRA) -> str | None:
    """Why an adapter does not fit the model, which is of no use afterwards; None where it does."""
    from study.models.adapters.lora import Adapter

    try:
        shared = Adapter(model, lora, 0).shared()
    except (ValueError, TypeError, NotImplementedError, AttributeError) as error:
        return str(error)
    if shared:
        return f"{shared[0]} is another layer's weight too, and what is added to the one would be added to the other"
    return None
