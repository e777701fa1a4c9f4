"""What a study through a fine-tuning API will be charged for, and whether that is within its caps.

Before any job begins, tokens are estimated from the texts. As jobs end, what the service counted takes the place of the
estimate, so that a study whose service counts more stops before the next job and not above its cap.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass

from study.artifacts.address import Address, Store
from study.errors import PreflightError
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
        jobs: all of them, those that exist among them.
        begun: those whose id is written down.
        training_tokens: of all jobs, estimated from bytes of UTF-8; None where the epochs are the service's choice.
        price: of the jobs that are not begun; None where no price is given.
    """

    jobs: int
    begun: int
    training_tokens: int | None
    price: float | None

    @property
    def in_words(self) -> str:
        """For `relearn plan`."""
        tokens = "unknown, as the service chooses the epochs"
        if self.training_tokens is not None:
            tokens = f"about {self.training_tokens:,} training tokens in all"
        price = "" if self.price is None else f"; those not begun cost about {self.price:,.2f}"
        return f"{self.jobs:,} ({self.begun:,} are begun), {tokens}{price}"


def service_cost(plan: Plan, published: Collection[Address]) -> ServiceCost | None:
    """The cost; None of a study by weights."""
    if plan.spec.relearn.by == "weights":
        return None
    jobs = [stage for stage in plan.stages.values() if isinstance(stage.node, Job | Steps)]
    begun = {address.key for address in published if address.what == "job"}
    each = [_tokens(job) for job in jobs]
    known = [tokens for tokens in each if tokens is not None]
    price = plan.spec.execution.service.price_per_million_tokens
    whole = len(known) == len(jobs)
    left = sum(tokens or 0 for job, tokens in zip(jobs, each, strict=True) if job.key not in begun)
    return ServiceCost(
        len(jobs),
        sum(job.key in begun for job in jobs),
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


class CountedTokens:
    """The tokens of a study's jobs: those that ended as the service counted them, the others as estimated."""

    def __init__(self, plan: Plan, store: Store) -> None:
        self._store = store
        self._most = plan.spec.execution.service.most_training_tokens
        capped = plan.stages if self._most is not None else {}
        self._jobs = {key: stage for key, stage in capped.items() if isinstance(stage.node, Job)}
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
        """Refuses to begin another job where all together would be above the cap.

        Raises:
            PreflightError: names the cap.
        """
        left = [stage for key, stage in self._jobs.items() if key not in self._ended]
        if not left or self._most is None:
            return
        counted = sum(self._ended.values())
        whole = counted + math.ceil(self._factor * sum(_tokens(stage) or 0 for stage in left))
        if whole > self._most:
            raise PreflightError(
                f"execution.service.most_training_tokens={self._most}: the service counted {counted:,} for the "
                f"{len(self._ended)} jobs that have ended, and with the {len(left)} that are left it would be about "
                f"{whole:,}; what is done stays: raise the cap and go on, or ask for fewer cells"
            )


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
