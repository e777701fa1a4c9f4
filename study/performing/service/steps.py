"""The client of a service by steps (Tinker's HTTP shape, plain JSON), see ``FineTuning``.

**Paid once.** A training run carries its trajectory's key in its metadata, and each wanted step is saved twice under
that step's name: to be asked, and to be gone on with. What is there is adopted. A gradient that was added twice would
be a wrong number that nobody sees. So nothing is ever repeated in a run that this process did not begin, or in which
an answer was lost: a new run goes on from the last saved state, and at most the steps since then are paid again.

Deliberately absent: Tinker's own client. It repeats such requests by itself, sends telemetry, and speaks protobuf,
which other servers of this shape do not take.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from study.errors import DivergedError, RelearnError
from study.models.tokenizer import context_of, load_tokenizer
from study.performing.service.calls import Calls
from study.performing.service.errors import ServiceRefusedError, ServiceSilentError
from study.performing.service.protocol import Answers, Ended
from study.performing.service.sampled_probes import asked_by_tokens
from study.performing.service.training_steps import adam_of_step, batch_of_step, lora_seed
from study.planning.served_nodes import Steps
from study.planning.stages import Embedded, Evaluation, Pretrained
from study.training.encoding import encode

KEY = "relearn"
"""Under this name a run's metadata hold its trajectory's key."""
KEY_VARIABLE = "TINKER_API_KEY"
PAGE = 100
RUNS_WITHOUT_PROGRESS = 5
HEARTBEAT_SECONDS = 10.0
Run = Mapping[str, Any]
Note = Callable[[str, str], None]


class _DoubtfulError(RelearnError):
    """Nobody knows whether the service has done it."""


class StepClient:
    """One service.

    Args:
        tokenizer: the model whose tokenizer its models have; None where nothing is trained or asked.

    Raises:
        PreflightError: the environment has no key for it.
    """

    def __init__(self, base_url: str, tokenizer: Pretrained | Embedded | None) -> None:
        self._tokenizer = tokenizer
        self._calls = Calls(f"{base_url}/api/v1", KEY_VARIABLE, key_header="X-API-Key")
        self._session: str | None = None
        self._beaten = 0.0
        self._numbers = 0
        self._mine: str | None = None

    def snapshot(self, model: str) -> str | None:
        """What the service says of a model's content, which may be nothing; None: no such model."""
        listed = (self._calls.get("/get_server_capabilities") or {}).get("supported_models") or []
        found = next((each for each in listed if each.get("model_name") == model), None)
        return None if found is None else str(found.get("snapshot") or "")

    def start(self, job: Steps, note: Note) -> str:
        """See ``FineTuning``."""
        runs = self._runs(job.key)
        if runs:
            note("run adopted", runs[-1])
            return runs[-1]
        return self._begin(job, note)

    def stands(self, known: str) -> bool:
        """See ``FineTuning``: ``checkpoints`` begins a new run where it needs one."""
        return True

    def checkpoints(self, job: Steps, known: Sequence[str], steps: Sequence[int], note: Note) -> Ended:
        """See ``FineTuning``; trains what is missing."""
        began = time.perf_counter()
        progress, idle = -1, 0
        while True:
            runs = list(dict.fromkeys([*known, *self._runs(job.key)]))
            asked, states = self._saved(job.key, runs)
            if set(steps) <= asked.keys():
                facts = {"id": runs[-1] if runs else None, "runs": runs, "model": job.start.model}
                return Ended(asked, time.perf_counter() - began, facts)
            missing = min(set(steps) - asked.keys())
            done = max((step for step in states if step < missing), default=0)
            idle = 0 if len(asked) > progress else idle + 1
            progress = max(progress, len(asked))
            if idle > RUNS_WITHOUT_PROGRESS:
                raise ServiceSilentError(f"{idle} runs lost an answer each before step {missing} was saved")
            if self._mine is None:
                self._begin(job, note)
            run, self._mine = str(self._mine), None
            known = [*runs, run]
            try:
                if done:
                    self._act("/load_weights", run, path=states[done], optimizer=True)
                self._train(job, run, done, [step for step in steps if step >= missing])
            except _DoubtfulError:
                continue

    def answers(self, model: str, evaluation: Evaluation) -> Answers:
        """See ``FineTuning``."""
        where = {"model_path": model} if "://" in model else {"base_model": model}
        return asked_by_tokens(lambda body: self._sampled({**where, **body}), self._source, evaluation)

    def close(self) -> None:
        """See ``FineTuning``."""
        self._calls.close()

    @property
    def _source(self) -> Pretrained | Embedded:
        if self._tokenizer is None:
            raise TypeError("a model that is trained or asked by steps has a tokenizer here")
        return self._tokenizer

    def _train(self, job: Steps, run: str, done: int, stops: Sequence[int]) -> None:
        rows = encode(job.data, load_tokenizer(self._source), context_of(self._source), job.max_length)
        for step in range(done, max(stops)):
            data = batch_of_step(rows, job, step)
            gradient = {"data": data, "loss_fn": "cross_entropy"}
            told = self._act("/forward_backward", run, forward_backward_input=gradient)
            loss = (told.get("metrics") or {}).get("loss:sum")
            if isinstance(loss, float) and not math.isfinite(loss):
                raise DivergedError(f"relearn diverged at the service: the loss of step {step + 1} is {loss}")
            self._act("/optim_step", run, adam_params=adam_of_step(job.sent, step))
            if step + 1 in stops:
                name = _name(job.key, step + 1)
                self._act("/save_weights_for_sampler", run, path=name)
                self._act("/save_weights", run, path=name)

    def _begin(self, job: Steps, note: Note) -> str:
        """A new run, written down before it is waited for."""
        body = {
            "session_id": self._in_session(),
            "model_seq_id": self._number(),
            "base_model": job.start.model,
            "user_metadata": {KEY: job.key},
            "lora_config": {
                "rank": job.sent.rank,
                "seed": lora_seed(job),
                "train_unembed": False,
                "train_mlp": True,
                "train_attn": True,
            },
            "type": "create_model",
        }
        before = set(self._runs(job.key))

        def look() -> Any:
            made = [run for run in self._runs(job.key) if run not in before]
            return {"model_id": made[-1]} if made else None

        found = self._calls.create("/create_model", body, look)
        self._mine = str(found["model_id"])
        note("run", self._mine)
        if found.get("request_id") is not None:
            self._waited(found)
        return self._mine

    def _act(self, route: str, run: str, **body: Any) -> Mapping[str, Any]:
        """One request to a run, never repeated, and its outcome."""
        self._beat()
        made = self._calls.once(route, {"model_id": run, "seq_id": self._number(), **body})
        if made is None:
            raise _DoubtfulError(f"the answer of {route} was lost")
        return self._waited(made)

    def _sampled(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        return self._waited(self._calls.post("/asample", {"num_samples": 1, "type": "sample", **body}))

    def _waited(self, made: Mapping[str, Any]) -> Mapping[str, Any]:
        """What came of a request that was taken."""
        while True:
            found = self._calls.post("/retrieve_future", {"request_id": str(made["request_id"])}) or {}
            if found.get("error"):
                raise ServiceRefusedError(f"the service refused: {str(found['error'])[:500]}")
            if found.get("type") != "try_again":
                return dict(found)
            self._beat()
            time.sleep(0.5)

    def _in_session(self) -> str:
        if self._session is None:
            body = {"tags": [KEY], "user_metadata": None, "sdk_version": KEY, "type": "create_session"}
            self._session = str(self._calls.post("/create_session", body)["session_id"])
            self._beaten = time.monotonic()
        return self._session

    def _beat(self) -> None:
        """Says that the session is alive; a service frees what nobody uses."""
        if self._session is not None and time.monotonic() - self._beaten > HEARTBEAT_SECONDS:
            self._calls.post("/session_heartbeat", {"session_id": self._session, "type": "session_heartbeat"})
            self._beaten = time.monotonic()

    def _number(self) -> int:
        self._numbers += 1
        return self._numbers

    def _runs(self, key: str) -> list[str]:
        """The ids of the runs of a trajectory, as the service lists them."""
        found: list[str] = []
        offset = 0
        while True:
            page = (self._calls.get("/training_runs", limit=PAGE, offset=offset) or {}).get("training_runs")
            if not page:
                return found
            found += [
                str(run["training_run_id"])
                for run in page
                if (run.get("user_metadata") or {}).get(KEY) == key
            ]
            offset += len(page)

    def _saved(self, key: str, runs: Sequence[str]) -> tuple[dict[int, str], dict[int, str]]:
        """Step → path of what can be asked, and of what can be gone on with."""
        asked: dict[int, str] = {}
        states: dict[int, str] = {}
        begin = _name(key, "")
        for run in runs:
            for each in (self._calls.get(f"/training_runs/{run}/checkpoints") or {}).get("checkpoints") or []:
                path = str(each["tinker_path"])
                step = path.rpartition("/")[2].removeprefix(begin)
                if step.isdigit():
                    kind = asked if each["checkpoint_type"] == "sampler" else states
                    kind.setdefault(int(step), path)
        return asked, states


def _name(key: str, step: int | str) -> str:
    return f"relearn-{key}-step-{step}"
