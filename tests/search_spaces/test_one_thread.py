"""A search asks the same on machines with more cores or fewer."""

from threadpoolctl import threadpool_info, threadpool_limits

from benchmarks.search import ATTACKS, CHEAPEST, OF_ATTACKS, grid_of, searched, with_seed
from search_spaces.loading import load_space
from search_spaces.search.proposers import proposer_of


def test_the_number_of_threads_does_not_change_what_is_asked() -> None:
    spec = load_space("names", [CHEAPEST, *ATTACKS["attacks"], *OF_ATTACKS])
    curves = grid_of("attacks", spec, proposer_of(spec).candidates())
    asked = []
    for threads in (1, 2):
        with threadpool_limits(threads, "blas"):
            assert {each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"} == {
                threads
            }
            *_, last = searched(proposer_of(with_seed(spec, 1, 24)), curves)
            asked.append(last.asked)
    assert len(asked[0]) == 24
    assert asked[0] == asked[1]
