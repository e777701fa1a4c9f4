"""A service by steps over the models of a study, on loopback: Tinker's HTTP shape as far as a study uses it.

It trains and samples with the project's own parts, so its numbers are real. Equal weights are taken as a mean over
their tokens: the sum is divided by their count, as a study divides, and not multiplied by a rounded quotient.
``faults``: the end of a route → the faults to come: ``429``, ``500`` (not taken), ``lost`` (taken, and the answer
never comes back), ``killed`` (as lost, and who asked is killed), ``refused``.
"""

import copy
import json
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from cluster.serving.served_models import Served
from study.evaluation.answering.generation import answer_ids
from study.evaluation.answering.token_likelihoods import token_likelihoods
from study.models.adapters.lora import Adapter
from study.models.hardware import use_threads
from study.models.resident import Resident
from study.settings.optimiser import LoRA
from study.training.batches import collate
from study.training.encoding import Encoded
from study.unlearning.objective import MaximumLikelihood, MicroBatch, Models, Step
from tests.serving.loopback import JsonHandler, Loopback

ALPHA = 8
"""Of every adapter: the service's choice."""
NOT_TAKEN = {"429": 429, "500": 500, "refused": 400}
"""Faults in which nothing is done: fault → status."""


class Run:
    """A model in training."""

    def __init__(self, served: Served, rank: int, seed: int) -> None:
        self.served = served
        self.resident = Resident(served.source)
        served.load(self.resident)
        self.adapter = Adapter(self.resident.model, LoRA(rank=rank, alpha=ALPHA), seed)
        self.trained = [each for each in self.resident.model.parameters() if each.requires_grad]
        self.adamw: torch.optim.AdamW | None = None
        self.moments: Any = None
        self.steps = 0

    def gradient(self, data: Sequence[Mapping[str, Any]]) -> float:
        """Adds the gradient of a batch; its loss."""
        rows, weights = [], set()
        for index, each in enumerate(data):
            given = each["loss_fn_inputs"]
            ids = [*each["model_input"]["chunks"][0]["tokens"], given["target_tokens"]["data"][-1]]
            assert given["target_tokens"]["data"] == ids[1:]
            learned = [place + 1 for place, weight in enumerate(given["weights"]["data"]) if weight]
            assert learned == list(range(learned[0], len(ids)))
            weights |= set(given["weights"]["data"]) - {0.0}
            rows.append(Encoded(ids, 0 if learned[0] == 1 else learned[0], index, cut=False))
        (weight,) = weights
        self.resident.model.train()
        tokens = collate(rows, self.resident)
        batch = MicroBatch(Models(self.resident.model), tokens, round(1 / weight), len(rows))
        loss = MaximumLikelihood().loss(Step(self.steps, batch, None, 0))
        loss.backward()
        return float(loss.detach())

    def optimise(self, adam: Mapping[str, float]) -> None:
        if self.adamw is None:
            betas = (adam["beta1"], adam["beta2"])
            self.adamw = torch.optim.AdamW(self.trained, betas=betas, eps=adam["eps"], fused=True)
            if self.moments is not None:
                self.adamw.load_state_dict(self.moments)
        for group in self.adamw.param_groups:
            group |= {"lr": adam["learning_rate"], "weight_decay": adam["weight_decay"]}
        if adam["grad_clip_norm"]:
            torch.nn.utils.clip_grad_norm_(self.trained, adam["grad_clip_norm"])
        self.adamw.step()
        self.adamw.zero_grad(set_to_none=True)
        self.steps += 1

    def state(self) -> Any:
        assert self.adamw is not None
        return copy.deepcopy(([each.detach() for each in self.trained], self.adamw.state_dict(), self.steps))

    def restore(self, state: Any) -> None:
        values, self.moments, self.steps = copy.deepcopy(state)
        with torch.no_grad():
            for parameter, value in zip(self.trained, values, strict=True):
                parameter.copy_(value)


class StepServer:
    """See the module's text. ``counts``: optimiser steps, runs and tokens, as the service would bill them."""

    def __init__(self, models: Mapping[str, Served]) -> None:
        self.models = dict(models)
        self.faults: dict[str, list[str]] = {}
        self.kill: Callable[[], None] = lambda: None
        self.counts: Counter[str] = Counter()
        self.keys: list[str] = []
        self._runs: dict[str, Run] = {}
        self._told: list[dict[str, Any]] = []
        self._saved: dict[str, tuple[str, Any]] = {}
        self._outcomes: list[Any] = []
        self._asking: dict[str, Resident] = {}
        self._lock = threading.Lock()
        server = self

        class Handler(JsonHandler):
            def got(self) -> None:
                server.keys.append(self.headers["X-API-Key"])
                path, _, query = self.path.removeprefix("/api/v1").partition("?")
                self.say(200, server.told(path, dict(each.split("=") for each in query.split("&") if each)))

            def posted(self) -> None:
                body = json.loads(self.body())
                path = self.path.removeprefix("/api/v1")
                with server._lock:
                    fault = server.faults[path].pop(0) if server.faults.get(path) else ""
                    found = None if fault in NOT_TAKEN else server.done(path, body)
                if fault in NOT_TAKEN:
                    self.say(NOT_TAKEN[fault], {"detail": "against our policy"}, {"Retry-After": "0"})
                elif fault:
                    if fault == "killed":
                        server.kill()
                    self.close_connection = True
                else:
                    self.say(200, found)

        self._server = Loopback(Handler)
        self.url = self._server.address
        self.close = self._server.close

    def told(self, path: str, query: Mapping[str, str]) -> Any:
        if path == "/get_server_capabilities":
            names = self.models.items()
            return {
                "supported_models": [{"model_name": name, "snapshot": each.snapshot} for name, each in names]
            }
        if path == "/training_runs":
            begin, most = int(query["offset"]), int(query["limit"])
            return {"training_runs": self._told[begin : begin + most]}
        run = path.split("/")[2]
        found = [
            {"checkpoint_id": where.rpartition("/")[2], "checkpoint_type": kind, "tinker_path": where}
            for where, (kind, _) in self._saved.items()
            if where.startswith(f"tinker://{run}/")
        ]
        return {"checkpoints": found}

    def done(self, path: str, body: dict[str, Any]) -> Any:
        use_threads(1)  # of this request's thread, as the study's stages have it
        if path == "/create_session":
            return {"session_id": "session", "type": "create_session"}
        if path == "/retrieve_future":
            return self._outcomes[int(body["request_id"])]
        if path == "/create_model":
            run = f"run-{len(self._runs)}"
            lora = body["lora_config"]
            self._runs[run] = Run(self.models[body["base_model"]], lora["rank"], lora["seed"])
            self._told.append({"training_run_id": run, "user_metadata": body["user_metadata"]})
            self.counts["runs"] += 1
            return {"model_id": run, **self._promised({})}
        if path == "/asample":
            return self._promised(self._sampled(body))
        return self._promised(self._acted(path, self._runs[body["model_id"]], body))

    def _promised(self, outcome: Any) -> dict[str, Any]:
        self._outcomes.append(outcome)
        return {"request_id": str(len(self._outcomes) - 1)}

    def _acted(self, path: str, run: Run, body: dict[str, Any]) -> Any:
        where = f"tinker://{body['model_id']}"
        if path == "/forward_backward":
            data = body["forward_backward_input"]["data"]
            self.counts["tokens"] += sum(len(each["loss_fn_inputs"]["weights"]["data"]) for each in data)
            return {"metrics": {"loss:sum": run.gradient(data)}}
        if path == "/optim_step":
            run.optimise(body["adam_params"])
            self.counts["steps"] += 1
        elif path == "/save_weights_for_sampler":
            self._saved[f"{where}/sampler_weights/{body['path']}"] = (
                "sampler",
                (run.served, run.adapter.product()),
            )
        elif path == "/save_weights":
            self._saved[f"{where}/weights/{body['path']}"] = ("training", run.state())
        elif path == "/load_weights":
            assert body["optimizer"]
            run.restore(self._saved[body["path"]][1])
        return {}

    def resident(self, name: str) -> Resident:
        """A model as it is asked: a base model, or a saved one by its path."""
        if name not in self._asking:
            if name in self.models:
                made = Resident(self.models[name].source)
                self.models[name].load(made)
            else:
                base, product = self._saved[name][1]
                made = Resident(base.source)
                base.load(made)
                made.add(product)
            self._asking[name] = made
        return self._asking[name]

    def _sampled(self, body: dict[str, Any]) -> Any:
        resident = self.resident(body.get("model_path") or body["base_model"])
        ids = body["prompt"]["chunks"][0]["tokens"]
        ((new, _, _),) = answer_ids(
            resident, [ids], [[resident.pad_id]], body["sampling_params"]["max_tokens"], 1
        )
        told: dict[str, Any] = {"sequences": [{"tokens": new, "stop_reason": "length"}]}
        if body.get("prompt_logprobs"):
            told["prompt_logprobs"] = [each.logprob for each in token_likelihoods(resident, ids, 0, 0)]
        return told
