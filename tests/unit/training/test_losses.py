import pytest
import torch

from finevq.training.batches import IGNORED
from finevq.training.losses import (
    belief_loss,
    correlation_loss,
    order_loss,
    rank_loss,
    score_errors,
    score_loss,
    token_loss,
)


def test_a_linear_prediction_has_no_correlation_loss():
    target = torch.tensor([10.0, 40.0, 70.0, 20.0])
    assert float(correlation_loss(3 * target - 5, target)) == pytest.approx(0.0, abs=1e-5)
    assert float(correlation_loss(-target, target)) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("target", [[1.0, 2.0], [5.0, 5.0, 5.0]])
def test_an_undefined_correlation_costs_nothing_and_keeps_the_gradient(target: list[float]):
    predicted = torch.ones(len(target), requires_grad=True)
    loss = correlation_loss(predicted, torch.tensor(target))
    loss.backward()
    assert loss.item() == 0.0


def test_a_right_score_costs_nothing():
    scores = torch.tensor([12.0, 74.0])
    assert float(score_loss(scores, scores)) == 0.0


def test_only_labelled_tokens_count():
    logits = torch.zeros(1, 3, 4)
    logits[0, 1, 2] = 50.0
    labels = torch.tensor([[IGNORED, 2, IGNORED]])
    assert float(token_loss(logits, labels)) == pytest.approx(0.0, abs=1e-5)


def test_beliefs_are_met_where_the_probability_is_the_share_of_people():
    share, weights = torch.tensor([0.8, 0.1]), torch.tensor([1.0, 3.0])
    losses = {
        shift: float(belief_loss((share + shift).log(), (1 - share - shift).log(), share, weights))
        for shift in (-0.05, 0.0, 0.05)
    }
    assert min(losses, key=lambda shift: losses[shift]) == 0.0
    nothing = torch.zeros(0)
    assert float(belief_loss(nothing, nothing, nothing, nothing)) == 0.0


def test_score_errors_are_distances_and_squared_near_the_target():
    predicted, target = torch.tensor([0.2, 0.5, 0.51]), torch.tensor([0.5, 0.5, 0.5])
    assert score_errors(predicted, target, kind="l1").tolist() == pytest.approx([0.3, 0, 0.01])
    huber = score_errors(predicted, target, kind="huber", delta=0.05)
    assert huber.tolist() == pytest.approx([0.3 - 0.025, 0, 0.01**2 / 0.1], abs=1e-6)


def test_ranks_are_compared_within_a_group_and_where_targets_differ():
    predicted = torch.tensor([0.9, 0.1, 0.5], requires_grad=True)
    target = torch.tensor([0.2, 0.8, 0.8])
    loss = rank_loss(predicted, target, ["blur", "blur", "noise"], temperature=0.1)
    # One pair: the first is worse than the second, and predicted 0.8 above it.
    assert loss.item() == pytest.approx(torch.nn.functional.softplus(torch.tensor(8.0)).item())
    loss.backward()
    assert predicted.grad is not None
    assert predicted.grad[0] > 0 > predicted.grad[1]
    assert predicted.grad[2] == 0


def test_ranks_without_a_pair_cost_nothing():
    predicted = torch.tensor([0.9, 0.1], requires_grad=True)
    loss = rank_loss(predicted, torch.tensor([0.5, 0.5]), ["blur", "blur"], temperature=0.1)
    assert loss.item() == 0
    loss.backward()
    empty = rank_loss(torch.zeros(0), torch.zeros(0), [], temperature=0.1)
    assert empty.item() == 0


def test_an_order_costs_little_once_it_is_clear_and_much_where_it_is_wrong():
    better = torch.tensor([60.0, 60.0, 60.0])
    kept, open_, wrong = (
        float(order_loss(better[:1], torch.tensor([worse]))) for worse in (40.0, 60.0, 80.0)
    )
    assert kept < 0.01 < open_ == pytest.approx(0.693, abs=1e-3)
    assert wrong > 6
    assert float(order_loss(better[:0], better[:0])) == 0.0
