"""The two dialects of jobs: OpenAI's, which `relearn serve` speaks too, and Together's."""

from collections.abc import Mapping
from typing import Any

from study.planning.served_nodes import Job

KEY = "relearn"
"""Under this name a job's metadata hold its key."""


class OpenAI:
    """files, fine_tuning/jobs; the key travels in the metadata, and in the suffix of the model's name."""

    key_variable = "OPENAI_API_KEY"
    jobs = "/fine_tuning/jobs"
    upload = "/files"

    def body(self, job: Job, file: str) -> Mapping[str, Any]:
        """See ``Dialect``."""
        sent = job.sent
        named = {
            "n_epochs": sent.epochs,
            "batch_size": sent.batch_size,
            "learning_rate_multiplier": sent.rate_multiplier,
        }
        hyperparameters = {name: value for name, value in named.items() if value is not None}
        return {
            "model": job.start.model,
            "training_file": file,
            "seed": job.seed,
            "suffix": job.key[:18],
            "metadata": {KEY: job.key},
            "method": {"type": "supervised", "supervised": {"hyperparameters": hyperparameters}},
        }

    def is_of(self, found: Mapping[str, Any], key: str) -> bool:
        """See ``Dialect``."""
        return (found.get("metadata") or {}).get(KEY) == key

    def outcome(self, found: Mapping[str, Any]) -> str | None:
        """See ``Dialect``."""
        status = str(found.get("status"))
        if status == "succeeded":
            return ""
        if status not in ("failed", "cancelled"):
            return None
        error = found.get("error") or {}
        return f"{status}: {error.get('message') or 'without a reason'}"

    def models(self, found: Mapping[str, Any], checkpoints: list[Mapping[str, Any]]) -> dict[int, str]:
        """See ``Dialect``."""
        return {int(each["step_number"]): str(each["fine_tuned_model_checkpoint"]) for each in checkpoints}

    def prompt_tokens(self, choice: Mapping[str, Any], answer: Mapping[str, Any], index: int) -> Any:
        """See ``Dialect``: the prompt's tokens stand before the completion's."""
        return choice.get("logprobs")


class Together:
    """files/upload, fine-tunes; the key travels in the suffix, which is part of the model's name.

    A job's checkpoints have no names of their own that could be asked: only its end is.
    """

    key_variable = "TOGETHER_API_KEY"
    jobs = "/fine-tunes"
    upload = "/files/upload"

    def body(self, job: Job, file: str) -> Mapping[str, Any]:
        """See ``Dialect``."""
        sent = job.sent
        named = {"n_epochs": sent.epochs, "batch_size": sent.batch_size, "learning_rate": sent.learning_rate}
        adapter: dict[str, Any] = {"type": "Full"}
        if sent.lora is not None:
            targets = sent.lora.targets
            adapter = {
                "type": "Lora",
                "lora_r": sent.lora.rank,
                "lora_alpha": sent.lora.alpha,
                "lora_dropout": sent.lora.dropout,
                "lora_trainable_modules": targets if isinstance(targets, str) else ",".join(targets),
            }
        return {
            "model": job.start.model,
            "training_file": file,
            "suffix": job.key,
            "random_seed": job.seed,
            "training_type": adapter,
            **{name: value for name, value in named.items() if value is not None},
        }

    def is_of(self, found: Mapping[str, Any], key: str) -> bool:
        """See ``Dialect``."""
        name = found.get("model_output_name") or found.get("output_name") or ""
        return found.get("suffix") == key or key in str(name)

    def outcome(self, found: Mapping[str, Any]) -> str | None:
        """See ``Dialect``."""
        status = str(found.get("status"))
        if status == "completed":
            return ""
        return f"{status}: {_last_event(found)}" if status in ("error", "cancelled", "user_error") else None

    def models(self, found: Mapping[str, Any], checkpoints: list[Mapping[str, Any]]) -> dict[int, str]:
        """See ``Dialect``."""
        name = found.get("model_output_name") or found.get("output_name")
        steps = [int(each["step"]) for each in checkpoints]
        return {max(steps): str(name)} if steps and name else {}

    def prompt_tokens(self, choice: Mapping[str, Any], answer: Mapping[str, Any], index: int) -> Any:
        """See ``Dialect``: prompts stand in a list of their own."""
        prompts = answer.get("prompt") or []
        return prompts[index].get("logprobs") if index < len(prompts) else None


def _last_event(found: Mapping[str, Any]) -> str:
    events = found.get("events") or [{}]
    return str(events[-1].get("message") or "without a reason")


DIALECTS: Mapping[str, OpenAI | Together] = {"openai": OpenAI(), "together": Together()}
