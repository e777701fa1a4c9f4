"""What a study will do with a model, as the process that tries it reads it. Without torch."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

from study.artifacts.address import Address
from study.planning.plan import Plan
from study.planning.stages import Pretrained, Trajectory
from study.settings.optimiser import LoRA

KEYS = {"finetune": "finetune.optimiser", "reinforce": "method.reinforcement.optimiser"}
"""Where the optimiser of a kind of trajectory stands in the spec, if not under the kind's own name."""


@dataclass(frozen=True)
class Request:
    """What a study will do with a model.

    Attributes:
        adapters: each LoRA of the spec, by the key where it stands.
        full: whether all weights are trained somewhere.
        activation_checkpointing: see ``study.settings.execution``.
        gpus, offload: what the stage asks for that asks for most GPUs.
    """

    source: Pretrained
    adapters: Mapping[str, LoRA]
    full: bool
    activation_checkpointing: bool = False
    gpus: float = 0
    offload: str = "none"

    def as_json(self) -> str:
        adapters = {key: lora.model_dump(mode="json") for key, lora in self.adapters.items()}
        return json.dumps({**asdict(self), "adapters": adapters})

    @classmethod
    def of_json(cls, text: str) -> "Request":
        fields = json.loads(text)
        adapters = {key: LoRA.model_validate(each) for key, each in fields.pop("adapters").items()}
        return cls(**{**fields, "source": Pretrained(**fields["source"]), "adapters": adapters})


def untried(plan: Plan, published: Iterable[Address]) -> list[Request]:
    """A request for each pretrained model of a plan of which no stage has published anything yet.

    Of adapters that differ in their rank alone, the first is tried.
    """
    begun = {address.key for address in published}
    adapters: dict[Pretrained, dict[str, LoRA]] = {}
    full: dict[Pretrained, bool] = {}
    tried: set[Pretrained] = set()
    for stage in plan.stages.values():
        node = stage.node
        source = stage.source
        if not isinstance(source, Pretrained):
            continue
        if stage.key in begun:
            tried.add(source)
        named = adapters.setdefault(source, {})
        if isinstance(node, Trajectory) and node.optimiser.lora is not None:
            named.setdefault(KEYS.get(node.kind, node.kind), node.optimiser.lora)
        full[source] = full.get(source, False) or (
            isinstance(node, Trajectory) and node.optimiser.lora is None
        )
    execution = plan.spec.execution
    most = max(
        (execution.resources(stage.kind) for stage in plan.stages.values()),
        key=lambda each: each.gpus,
        default=execution,
    )
    return [
        Request(source, named, full[source], execution.activation_checkpointing, most.gpus, most.offload)
        for source, named in adapters.items()
        if source not in tried
    ]
