"""A search asks the same on machines with more cores or fewer."""

import math

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from search_spaces.search.proposers import proposer_of
from study.planning.materials import read_materials
from study.planning.proposer import Point
from tests.search_spaces.conftest import search_through

STEPS = (0, 5, 10, 20, 40)


def rate(point: Point, step: int) -> float:
    force = (1 + point.attack.label.count("r")) * math.log2(1 + step) * point.repetitions / point.depth
    return 1 / (1 + math.exp(2 - force / 2 + point.seed / 3))


@pytest.mark.parametrize("question", ["frontier", "cheapest"])
def test_the_number_of_threads_does_not_change_what_is_asked(searching, question: str) -> None:
    spec = searching(question, budget={"trajectories": 24}, tolerance=1e-6, corpus=["prefix", "retain"])
    asked = []
    for threads in (1, 2):
        with threadpool_limits(threads, "blas"):
            assert {each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"} == {
                threads
            }
            asked.append(search_through(proposer_of(read_materials(spec)), STEPS, rate)[-1].asked)
    assert len(asked[0]) == 24
    assert asked[0] == asked[1]
