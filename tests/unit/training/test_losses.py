import pytest
import torch

from finevq.training.batches import IGNORED
from finevq.training.losses import correlation_loss, score_loss, token_loss


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
