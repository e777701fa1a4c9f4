"""What a service by steps is sent for one optimiser step: the examples as tokens with weights, and Adam's numbers.

Order, batches, warm-up and the mean over the tokens are those of ``study.training.loop``: a weight is 1 / the tokens of
the whole batch that bear loss, and 0 on a prompt's.
"""

from collections.abc import Sequence
from typing import Any

from study.identity import derived_seed
from study.planning.served_nodes import Steps
from study.settings.relearning import StepHyperparameters
from study.training.data_order import batch_indices
from study.training.encoding import Encoded

BETAS, EPSILON = (0.9, 0.999), 1e-8
"""Those of torch's AdamW, by which a relearning with the weights is trained."""


def batch_of_step(rows: Sequence[Encoded], job: Steps, step: int) -> list[dict[str, Any]]:
    """The data of a step (from 0): for each example its tokens, those that follow them, and their weights."""
    chosen = [
        rows[index] for index in batch_indices(len(rows), job.sent.batch_size, job.seed, job.kind, step)
    ]
    learned = sum(len(row.ids) - max(row.prompt, 1) for row in chosen)
    return [_datum(row, 1 / learned) for row in chosen]


def adam_of_step(sent: StepHyperparameters, step: int) -> dict[str, float]:
    """Adam's numbers of a step (from 0)."""
    warm = min(1, (step + 1) / sent.warmup_steps) if sent.warmup_steps else 1
    return {
        "learning_rate": sent.learning_rate * warm,
        "beta1": BETAS[0],
        "beta2": BETAS[1],
        "eps": EPSILON,
        "weight_decay": sent.weight_decay,
        "grad_clip_norm": sent.gradient_clip,
    }


def lora_seed(job: Steps) -> int:
    """Draws the adapter, as in a relearning with the weights."""
    return derived_seed(job.seed, job.kind, "lora")


def _datum(row: Encoded, weight: float) -> dict[str, Any]:
    weights = [weight if place >= row.prompt else 0.0 for place in range(1, len(row.ids))]
    shape = [len(weights)]
    return {
        "model_input": {"chunks": [{"type": "encoded_text", "tokens": row.ids[:-1]}]},
        "loss_fn_inputs": {
            "target_tokens": {"data": row.ids[1:], "dtype": "int64", "shape": shape},
            "weights": {"data": weights, "dtype": "float32", "shape": shape},
        },
    }
