"""What a study through a fine-tuning API will be charged for, and whether that is within its caps.

Before any job begins, tokens are estimated from the texts. As jobs end, what the service counted takes the place of the
estimate, so that a study whose service counts more stops before the next job and not above its cap.
"""

import math
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from study.artifacts.address import Address, Store
from study.errors import PreflightError
from study.performing.service.client import ServiceClient
from study.performing.service.perform import job_ids
from study.planning.plan import Plan
from study.planning.served_nodes import Job, Steps
from study.planning.stages import Stage
from study.text.examples import Corpus

BYTES_OF_A_TOKEN = 3
"""Of UTF-8. Fewer than in English prose, so that tokens are rather told too many; a character of Chinese has three."""


@dataclass(frozen=True)
class ServiceCost:
    """Of the jobs of a plan.

    Attributes:
        jobs: one for each trajectory, those that exist among them.
        begun: those whose id is written down.
        anew: how many were begun before these, and failed or are gone; they were paid for, too.
        training_tokens: of all jobs, estimated from bytes of UTF-8; None where the epochs are the service's choice.
        price: of the jobs that are not begun; None where no price is given.
    """

    jobs: int
    begun: int
    anew: int
    training_tokens: int | None
    price: float | None

    @property
    def in_words(self) -> str:
        """For `relearn plan`."""
        tokens = "unknown, as the service chooses the epochs"
        if self.training_tokens is not None:
            tokens = f"about {self.training_tokens:,} training tokens in all"
        price = "" if self.price is None else f"; those not begun cost about {self.price:,.2f}"
        anew = f", and {self.anew:,} before them that failed or are gone" if self.anew else ""
        return f"{self.jobs:,} ({self.begun:,} are begun){anew}, {tokens}{price}"


def service_cost(plan: Plan, published: Collection[Address]) -> ServiceCost | None:
    """The cost; None of a study by weights."""
    if plan.spec.relearn.by == "weights":
        return None
    jobs = [stage for stage in plan.stages.values() if isinstance(stage.node, Job | Steps)]
    begun = Counter(address.key for address in published if address.what == "job")
    anew = {job.key: max(0, begun[job.key] - 1) for job in jobs if isinstance(job.node, Job)}
    each = [_tokens(job) for job in jobs]
    known = [
        tokens * (1 + anew.get(job.key, 0))
        for job, tokens in zip(jobs, each, strict=True)
        if tokens is not None
    ]
    price = plan.spec.execution.service.price_per_million_tokens
    whole = len(known) == len(jobs)
    left = sum(tokens or 0 for job, tokens in zip(jobs, each, strict=True) if job.key not in begun)
    return ServiceCost(
        len(jobs),
        sum(job.key in begun for job in jobs),
        sum(anew.values()),
        sum(known) if whole else None,
        left * price / 1e6 if price is not None and whole else None,
    )


def check_service_cost(plan: Plan) -> None:
    """Refuses a plan above its caps, before any job begins.

    Raises:
        PreflightError: names the cap.
    """
    found, limits = service_cost(plan, ()), plan.spec.execution.service
    if found is None:
        return
    if limits.most_jobs is not None and found.jobs > limits.most_jobs:
        raise PreflightError(
            f"execution.service.most_jobs={limits.most_jobs}: the study has {found.jobs} jobs; raise it, or ask for "
            "fewer cells"
        )
    if limits.most_training_tokens is None:
        return
    if found.training_tokens is None:
        raise PreflightError(
            "execution.service.most_training_tokens: the service chooses the epochs, so nobody knows how many tokens "
            "it will take; give relearn.epochs, and take epochs and batch_size out of left_to_the_service"
        )
    if found.training_tokens > limits.most_training_tokens:
        raise PreflightError(
            f"execution.service.most_training_tokens={limits.most_training_tokens}: the jobs take about "
            f"{found.training_tokens:,}; raise it, or ask for fewer cells"
        )


MOST_COUNTED = 10**15
"""Tokens of one job; a service that counts more has not counted."""


class JobsTaken:
    """What a study's jobs have taken: the tokens of those that ended as the service counted them, else as estimated.

    A job that failed or is gone was paid for, too: it counts beside the one in its place, of which each command begins
    at most one.
    """

    def __init__(self, plan: Plan, store: Store) -> None:
        self._store = store
        self._relearn = plan.spec.relearn
        self._limits = plan.spec.execution.service
        capped = self._limits.most_training_tokens is not None or self._limits.most_jobs is not None
        stages = plan.stages if capped else {}
        self._jobs = {key: stage for key, stage in stages.items() if isinstance(stage.node, Job)}
        self._anew: dict[str, int] | None = None
        """Jobs of a trajectory in whose place another is begun, once they are known."""
        self._ended: dict[str, int] = {}
        self._factor = 1.0
        """By this the service counted more than was estimated, at most."""

    def ended(self, key: str, published: bool) -> None:
        """A stage ended; what was not published is not counted anywhere, and stays as estimated."""
        if key not in self._jobs:
            return
        stage = self._jobs[key]
        told = None
        if published:
            step, evaluation = stage.evaluate[0]
            record = self._store.record(Address.of_answers(key, step, evaluation.key))
            told = (record["facts"].get("job") or {}).get("trained_tokens")
        estimated = _tokens(stage) or 0
        if not isinstance(told, int) or not 0 <= told <= MOST_COUNTED:
            told = estimated
        self._ended[key] = told
        self._factor = max(self._factor, told / max(1, estimated))

    def check(self) -> None:
        """Refuses to begin another job where all together would be above a cap.

        Raises:
            PreflightError: names the cap.
        """
        left = [key for key in self._jobs if key not in self._ended]
        if not left:
            return
        if self._anew is None:
            self._anew = self._begun_anew(left)
        anew, most = sum(self._anew.values()), self._limits
        remedy = "what is done stays: raise the cap and go on, or ask for fewer cells"
        if most.most_jobs is not None and len(self._jobs) + anew > most.most_jobs:
            raise PreflightError(
                f"execution.service.most_jobs={most.most_jobs}: the study has {len(self._jobs)} jobs, {len(left)} of "
                f"them left, and {anew} that failed or are gone; {remedy}"
            )
        if most.most_training_tokens is None:
            return
        failed = sum(many * (_tokens(self._jobs[key]) or 0) for key, many in self._anew.items())
        counted = sum(self._ended.values())
        expected = sum(_tokens(self._jobs[key]) or 0 for key in left)
        whole = counted + failed + math.ceil(self._factor * expected)
        if whole > most.most_training_tokens:
            beside = f", about {failed:,} are of {anew} that failed or are gone" if anew else ""
            raise PreflightError(
                f"execution.service.most_training_tokens={most.most_training_tokens}: the service counted {counted:,} "
                f"for the {len(self._ended)} jobs that have ended{beside}, and with the {len(left)} that are left it "
                f"would be about {whole:,}; {remedy}"
            )

    def _begun_anew(self, left: Collection[str]) -> dict[str, int]:
        ids = {key: job_ids(self._store, key) for key in self._jobs}
        found = {key: max(0, len(known) - 1) for key, known in ids.items()}
        asked = [key for key in left if ids[key]]
        if asked:
            client = ServiceClient(self._relearn.base_url or "", self._relearn.dialect, self._relearn.form)
            for key in asked:
                found[key] += not client.stands(ids[key][-1])
            client.close()
        return found


def _tokens(stage: Stage) -> int | None:
    node = stage.node
    if isinstance(node, Steps):
        seen = stage.last_step * node.sent.batch_size / max(1, len(node.data))
        return math.ceil(seen * _tokens_of(node.data))
    if not isinstance(node, Job) or node.sent.epochs is None:
        return None
    return node.sent.epochs * _tokens_of(node.data)


def _tokens_of(data: Corpus) -> int:
    """Of every text once, each with the end token that a service adds."""
    return sum(math.ceil(len(each.text.encode()) / BYTES_OF_A_TOKEN) + 1 for each in data.examples)
