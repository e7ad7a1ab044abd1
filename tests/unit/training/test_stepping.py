from itertools import chain

import pytest

from finevq.training.stepping import (
    ShareSampler,
    StepSampler,
    learning_rate_at,
    micro_batches,
    steps_of_epoch,
)


@pytest.mark.parametrize(("num_items", "batch_size"), [(16, 4), (17, 4), (3, 8), (1, 1)])
def test_every_item_comes_once_in_an_epoch(num_items: int, batch_size: int):
    steps = steps_of_epoch(num_items, batch_size, seed=1, epoch=2)
    assert sorted(chain(*steps)) == list(range(num_items))
    assert all(len(step) == batch_size for step in steps[:-1])


def test_epochs_and_seeds_have_orders_of_their_own():
    orders = {
        tuple(chain(*steps_of_epoch(20, 4, seed=seed, epoch=epoch)))
        for seed in (0, 1)
        for epoch in (0, 1, 2)
    }
    assert len(orders) == 6


@pytest.mark.parametrize("num_processes", [1, 2, 3, 5])
@pytest.mark.parametrize("size", [0, 1, 2, 4])
def test_processes_share_a_step_without_loss_and_in_equally_many_passes(
    num_processes: int, size: int
):
    items = [9, 4, 7, 1, 8, 2, 6]
    shares = [
        micro_batches(items, size, rank=rank, num_processes=num_processes)
        for rank in range(num_processes)
    ]
    assert sorted(chain(*chain(*shares))) == sorted(items)
    assert len({len(share) for share in shares}) == 1


def test_a_sampler_that_starts_later_goes_on_with_the_same_passes():
    def sampler(first_step: int) -> StepSampler:
        return StepSampler(
            num_items=11,
            batch_size=3,
            micro_batch_size=2,
            seed=5,
            rank=0,
            num_processes=1,
            epoch=4,
            first_step=first_step,
        )

    whole, late = sampler(0), sampler(2)
    assert list(late) == list(whole)[4:]  # two steps of two passes each
    assert len(late) == len(list(late))


@pytest.mark.parametrize("num_processes", [1, 2, 3])
def test_validation_shares_hold_every_item_once(num_processes: int):
    shares = [
        ShareSampler(num_items=10, size=3, rank=rank, num_processes=num_processes)
        for rank in range(num_processes)
    ]
    assert sorted(chain(*chain(*shares))) == list(range(10))
    assert {len(list(share)) for share in shares} == {len(shares[0])}


def test_the_rate_warms_up_and_falls_to_its_end():
    rates = [
        learning_rate_at(step, 101, peak=2e-4, final=1e-6, warmup_share=0.1) for step in range(101)
    ]
    assert rates[:11] == sorted(rates[:11])
    assert rates[11] == pytest.approx(2e-4)
    assert rates[11:] == sorted(rates[11:], reverse=True)
    assert rates[-1] == pytest.approx(1e-6)
    middle = (11 + 100) / 2
    assert rates[int(middle)] == pytest.approx((2e-4 + 1e-6) / 2, rel=0.02)


def test_a_run_of_one_step_has_the_full_rate():
    assert learning_rate_at(0, 1, peak=1.0, final=0.1, warmup_share=0.0) == 1.0
