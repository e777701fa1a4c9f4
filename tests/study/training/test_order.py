from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from study.training.data_order import batch_indices

SIZES = st.integers(1, 9)


@given(SIZES, SIZES, st.integers(0, 3))
def test_every_epoch_holds_every_example_once(size: int, batch: int, seed: int) -> None:
    steps = range(size * 2)
    drawn = [index for step in steps for index in batch_indices(size, batch, seed, "train", step)]
    for start in range(0, len(drawn) - size + 1, size):
        assert Counter(drawn[start : start + size]) == Counter(range(size))


def test_order_depends_on_seed_and_purpose_and_epoch() -> None:
    orders = {
        tuple(batch_indices(20, 20, *where))
        for where in [(0, "finetune", 0), (1, "finetune", 0), (0, "relearn", 0), (0, "finetune", 1)]
    }
    assert len(orders) == 4
