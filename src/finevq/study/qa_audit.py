"""Can the answers be guessed from the text? A solver that never sees a video tries; pure.

The solver is given everything that a language model could pick up from the question: its words, the
options, their places and their company. It learns on some groups of pairs and is tested on others.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from finevq.study.qa import CHOICE_FAMILIES, QaPair
from finevq.study.votes import FloatArray

MAX_EXCESS = 0.03
"""How far above chance the solver may get."""
NUM_FOLDS = 5
_EPOCHS = 6
_RATE = 0.2
_DECAY = 1e-4


@dataclass(frozen=True, kw_only=True, slots=True)
class FamilyAudit:
    """What the text-only solver makes of a family."""

    family: str
    num_pairs: int
    accuracy: float
    """Of the solver, on groups that it did not learn from, 0..1."""
    chance: float
    """Mean of one over the number of options."""
    majority: float
    """Of always giving the most frequent answer that is among the options."""
    standard_error: float
    """Of the accuracy at chance level."""
    passed: bool

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready copy."""
        return asdict(self)


def audit_pairs(pairs: Sequence[QaPair], seed: int = 0) -> list[FamilyAudit]:
    """Audit every family of closed questions that occurs.

    A family passes when the solver is at most three points above chance; with few pairs, where
    chance alone can do that, when it is within two standard errors.

    Args:
        pairs: Pairs of any families; open ones are not audited.
        seed: Decides the folds.
    """
    return [
        _audit_family(family, [pair for pair in pairs if pair.family == family], seed)
        for family in CHOICE_FAMILIES
        if any(pair.family == family for pair in pairs)
    ]


def _audit_family(family: str, pairs: Sequence[QaPair], seed: int) -> FamilyAudit:
    generator = np.random.default_rng(seed)
    groups = sorted({pair.group for pair in pairs})
    fold_of = dict(zip(groups, generator.permutation(len(groups)) % NUM_FOLDS, strict=True))
    guesses = 0
    common = 0
    for fold in range(NUM_FOLDS):
        learned = [pair for pair in pairs if fold_of[pair.group] != fold]
        tested = [pair for pair in pairs if fold_of[pair.group] == fold]
        weights = _learn(learned, generator)
        counts = _counts(learned)
        guesses += sum(_guess(pair, weights) == _right(pair) for pair in tested)
        common += sum(
            max(pair.options, key=lambda o: counts.get(o, 0)) == _right(pair) for pair in tested
        )
    chance = float(np.mean([1.0 / len(pair.options) for pair in pairs]))
    error = float(np.sqrt(chance * (1.0 - chance) / len(pairs)))
    accuracy = guesses / len(pairs)
    return FamilyAudit(
        family=family,
        num_pairs=len(pairs),
        accuracy=accuracy,
        chance=chance,
        majority=common / len(pairs),
        standard_error=error,
        passed=accuracy - chance <= max(MAX_EXCESS, 2.0 * error if error > MAX_EXCESS / 2 else 0.0),
    )


def _right(pair: QaPair) -> str:
    if pair.family == "yes/no":
        return "yes" if pair.facts["distorted"] else "no"
    return str(pair.facts["answer"])


def _counts(pairs: Sequence[QaPair]) -> dict[str, int]:
    counts: dict[str, int] = defaultdict(int)
    for pair in pairs:
        counts[_right(pair)] += 1
    return counts


def _features(pair: QaPair, option: str) -> list[str]:
    """Everything that the text says about an option."""
    words = pair.question.lower().split()
    return [
        f"is {option}",
        f"at {pair.options.index(option)}",
        f"of {len(pair.options)}: {option}",
        *(f"{option} with {other}" for other in pair.options if other != option),
        *(f"{option} after {word}" for word in words),
    ]


def _learn(pairs: Sequence[QaPair], generator: np.random.Generator) -> dict[str, float]:
    """Fit a softmax over each question's options by stochastic gradient descent."""
    weights: dict[str, float] = defaultdict(float)
    encoded = [
        ([_features(pair, option) for option in pair.options], pair.options.index(_right(pair)))
        for pair in pairs
    ]
    for epoch in range(_EPOCHS):
        rate = _RATE / (1 + epoch)
        for index in generator.permutation(len(encoded)):
            features, right = encoded[int(index)]
            share = _shares(features, weights)
            share[right] -= 1.0
            for names, error in zip(features, share, strict=True):
                for name in names:
                    weights[name] -= rate * (float(error) + _DECAY * weights[name])
    return weights


def _shares(features: Sequence[Sequence[str]], weights: dict[str, float]) -> FloatArray:
    scores = np.array([sum(weights.get(name, 0.0) for name in names) for names in features])
    shares = np.exp(scores - scores.max())
    return np.asarray(shares / shares.sum(), np.float64)


def _guess(pair: QaPair, weights: dict[str, float]) -> str:
    shares = _shares([_features(pair, option) for option in pair.options], weights)
    return pair.options[int(np.argmax(shares))]
