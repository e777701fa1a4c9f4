"""A rate that is a cap times a logistic curve: maximum likelihood by scipy, and how much of what varies it explains.

rate = cap × logistic(terms · coefficients), the cap known for each observation. The loss is the binomial negative log
likelihood above that of the saturated model, half of the deviance.
"""

from collections.abc import Sequence

import numpy as np
import scipy  # its parts load when they are first used

from analysis.statistics.wilson import Numbers

LEAST = 1e-4
"""The least rate that is predicted, and the least distance from 1: nothing that was counted is impossible.

The curve goes towards it and is not cut there: where nothing is answered, a cut leaves no slope to follow.
"""


PENALTY = 1e-6
"""Times the coefficients' squares, for each trial: where the data separate, the maximum would be at infinity."""


def fit(
    terms: Numbers,
    cap: Numbers,
    successes: Numbers,
    trials: Numbers,
    penalty: float = PENALTY,
    starts: Sequence[Numbers] = (),
    known: Numbers | float = 0.0,
) -> Numbers:
    """Coefficients, one a term. One that changes with the penalty is not told by the data.

    Args:
        terms: observations × terms, an intercept among them where there is one.
        cap: between 0 and 1.
        successes, trials: counts, or shares of 1.
        starts: from where the maximum is sought; from nothing where none is given. Below a cap there may be several,
            and the largest that is found is taken.
        known: what is added to the logit of each observation.
    """

    def loss(coefficients: Numbers) -> tuple[float, Numbers]:
        inner = scipy.special.expit(terms @ coefficients + known)
        rate = LEAST + (1 - 2 * LEAST) * cap * inner
        slope = (1 - 2 * LEAST) * cap * inner * (1 - inner)
        outer = (trials - successes) / (1 - rate) - successes / rate
        negative = -(successes * np.log(rate) + (trials - successes) * np.log1p(-rate)).sum()
        slopes = terms.T @ (outer * slope) / trials.sum() + 2 * penalty * coefficients
        return float(negative / trials.sum() + penalty * coefficients @ coefficients), slopes

    # scipy's own tolerance (1e-5) leaves the second decimal open where intercepts and the slope of depth trade off
    every = [
        scipy.optimize.minimize(loss, start, jac=True, method="BFGS", options={"gtol": 1e-9})
        for start in starts or (np.zeros(terms.shape[1]),)
    ]
    found: Numbers = min(every, key=lambda each: float(each.fun)).x
    return found


def predict(terms: Numbers, cap: Numbers, coefficients: Numbers) -> Numbers:
    """The rates."""
    return LEAST + (1 - 2 * LEAST) * cap * scipy.special.expit(terms @ coefficients)


def loss(rate: Numbers, successes: Numbers, trials: Numbers) -> float:
    """Negative log likelihood above the saturated model."""
    rate = np.clip(rate, LEAST, 1 - LEAST)
    failures = trials - successes
    return float(
        (
            scipy.special.xlogy(successes, successes / trials / rate)
            + scipy.special.xlogy(failures, failures / trials / (1 - rate))
        ).sum()
    )


def explained(rate: Numbers, mean: Numbers, successes: Numbers, trials: Numbers) -> float:
    """The share of the loss of a mean that a prediction takes away: 1 is all, 0 none, below 0 it is worse."""
    return 1 - loss(rate, successes, trials) / loss(mean, successes, trials)
