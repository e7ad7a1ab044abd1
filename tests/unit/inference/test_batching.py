import logging
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finevq.errors import VideoDecodeError
from finevq.inference.batching import assess_in_order, in_place
from finevq.records import Failure


def double(item: int, prepared: int) -> int:
    return prepared * 2


@settings(max_examples=30, deadline=None)
@given(
    bad_prepare=st.sets(st.integers(0, 12)),
    bad_finish=st.sets(st.integers(0, 12)),
    look_ahead=st.integers(1, 3),
)
def test_results_and_failures_keep_the_order_of_the_items(
    bad_prepare: set[int], bad_finish: set[int], look_ahead: int
):
    def prepare(item: int) -> int:
        if item in bad_prepare:
            raise VideoDecodeError(f"no frame in {item}")
        return item

    def finish(item: int, prepared: int) -> int:
        if item in bad_finish:
            raise VideoDecodeError(f"no answer for {item}")
        return prepared

    outcomes = list(assess_in_order(range(13), prepare, finish, look_ahead=look_ahead))
    for item, outcome in enumerate(outcomes):
        if item in bad_prepare:
            assert outcome == Failure(str(item), "VideoDecodeError", f"no frame in {item}")
        elif item in bad_finish:
            assert outcome == Failure(str(item), "VideoDecodeError", f"no answer for {item}")
        else:
            assert outcome == item
    assert len(outcomes) == 13


def test_the_next_item_is_prepared_while_the_first_is_finished():
    second_is_prepared = threading.Event()

    def prepare(item: int) -> int:
        if item == 1:
            second_is_prepared.set()
        return item

    def finish(item: int, prepared: int) -> bool:
        return second_is_prepared.wait(30)

    assert list(assess_in_order(range(2), prepare, finish)) == [True, True]


@pytest.mark.parametrize("look_ahead", [1, 2])
def test_no_more_items_are_prepared_than_may_wait(look_ahead: int):
    prepared: list[int] = []
    reached = threading.Event()

    def prepare(item: int) -> int:
        prepared.append(item)
        if len(prepared) == look_ahead + 1:
            reached.set()
        return item

    results = assess_in_order(range(100), prepare, double, look_ahead=look_ahead)
    next(results)
    assert reached.wait(30)
    # One is finished, `look_ahead` may wait; the thread stands before the one after them.
    assert len(prepared) == look_ahead + 1
    results.close()


def test_an_unforeseen_error_becomes_a_failure_and_is_logged_whole(caplog):
    def prepare(item: str) -> str:
        raise ZeroDivisionError("division by zero")

    with caplog.at_level(logging.ERROR, logger="finevq"):
        (outcome,) = assess_in_order(["a.mp4"], prepare, double)
    assert outcome == Failure(
        "a.mp4", "ZeroDivisionError", "unexpected ZeroDivisionError: division by zero"
    )
    assert "Traceback" in caplog.text
    assert "prepare" in caplog.text


def test_an_interrupt_ends_the_iteration_and_the_preparation():
    prepared: list[int] = []

    def finish(item: int, value: int) -> int:
        raise KeyboardInterrupt

    results = assess_in_order(range(1000), lambda i: prepared.append(i) or i, finish)
    with pytest.raises(KeyboardInterrupt):
        next(results)
    assert len(prepared) < 10


def test_closing_early_does_not_wait_for_the_item_under_way():
    is_free = threading.Event()

    def prepare(item: int) -> int:
        if item:
            is_free.wait(60)
        return item

    results = assess_in_order(range(5), prepare, double)
    assert next(results) == 0
    results.close()  # would hang for a minute if it waited
    is_free.set()


def test_an_error_of_the_items_themselves_reaches_the_caller():
    def items() -> Iterator[int]:
        yield 1
        raise LookupError("the list is gone")

    results = assess_in_order(items(), lambda item: item, double)
    assert next(results) == 2
    with pytest.raises(LookupError, match="the list is gone"):
        next(results)


def test_nothing_gives_nothing():
    assert list(assess_in_order([], lambda item: item, double)) == []


def test_a_look_ahead_below_one_is_refused():
    with pytest.raises(ValueError, match="look_ahead=0 must be 1 or more"):
        next(assess_in_order([1], lambda item: item, double, look_ahead=0))


def test_failures_stand_where_they_were():
    lost = Failure("b", "NoVideosFoundError", "there is no b")
    assert list(in_place([lost, "a", lost, "c"], iter("AC"))) == [lost, "A", lost, "C"]
