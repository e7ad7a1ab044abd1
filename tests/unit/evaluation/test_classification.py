import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from finevq.evaluation.classification import (
    accuracy,
    auroc,
    balanced_accuracy,
    expected_calibration_error,
    macro_f1,
    mcc,
)

_answers = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), min_size=2, max_size=40
)


@settings(deadline=None)
@given(_answers)
def test_answer_metrics_equal_scikit_learn(rows):
    said, true = (list(column) for column in zip(*rows, strict=True))
    assert accuracy(said, true).value == pytest.approx(metrics.accuracy_score(true, said))
    recalls = metrics.recall_score(
        true, said, labels=sorted(set(true)), average=None, zero_division=0
    )
    assert balanced_accuracy(said, true).value == pytest.approx(np.mean(recalls))
    assert macro_f1(said, true).value == pytest.approx(
        metrics.f1_score(true, said, average="macro", zero_division=0)
    )
    if len(set(said)) > 1 and len(set(true)) > 1:
        assert mcc(said, true).value == pytest.approx(
            metrics.matthews_corrcoef(true, said), abs=1e-9
        )


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=40))
def test_auroc_equals_scikit_learn_with_ties(rows):
    scores, positive = (np.array(column) for column in zip(*rows, strict=True))
    measure = auroc(scores, positive)
    if len(set(positive)) == 2 and len(set(scores)) > 1:
        assert measure.value == pytest.approx(metrics.roc_auc_score(positive, scores))
    else:
        assert not measure.is_defined


def test_a_constant_answer_is_exposed():
    truth = ["no"] * 73 + ["yes"] * 27
    constant = ["no"] * 100
    assert accuracy(constant, truth).value == 0.73
    assert balanced_accuracy(constant, truth).value == 0.5
    assert mcc(constant, truth).undefined_because == "all answers are the same"
    assert not auroc([0.5] * 100, [t == "yes" for t in truth]).is_defined


def test_calibration_error_of_a_worked_case():
    # bin 0.6-0.7: confidence .65, accuracy .5; bin 0.9-1: confidence .95, accuracy 1
    measure = expected_calibration_error([0.65, 0.65, 0.95, 0.95], [1, 0, 1, 1])
    assert measure.value == pytest.approx(0.5 * 0.15 + 0.5 * 0.05)
    assert expected_calibration_error([1.0], [1]).value == 0


@pytest.mark.parametrize("metric", [accuracy, balanced_accuracy, macro_f1, mcc])
def test_no_answers_are_undefined(metric):
    assert metric([], []).undefined_because == "there are no answers"


def test_confidences_must_be_probabilities():
    assert "outside" in expected_calibration_error([1.5], [1]).undefined_because


def test_answers_pair_with_labels():
    with pytest.raises(ValueError, match="do not pair"):
        accuracy(["a"], [])
