"""Text to token ids and back, for the small vocabulary of nano.

A BPE tokenizer trained on every sentence of `templates`; common words are one token each, so that a
closed answer is decided by one token wherever possible.
"""

import itertools
from collections.abc import Iterator

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from finevq.prompts import questions, templates
from finevq.vocabulary import (
    ALL_ATTRIBUTES,
    DIMENSIONS,
    FAULT_DIMENSIONS,
    NO_FAULT,
    QUALITY_LEVELS,
    levels_of,
)


def train_tokenizer(vocabulary_size: int = 640) -> Tokenizer:
    """Train nano's tokenizer; the same sentences give the same tokenizer.

    Args:
        vocabulary_size: Upper bound; large enough that each word of the templates is one token.
    """
    tokenizer = Tokenizer(models.BPE())
    # Words keep the space before them; punctuation stands alone.
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Metaspace(prepend_scheme="always"), pre_tokenizers.Punctuation()]
    )
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size,
        special_tokens=list(templates.SPECIAL_TOKENS),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_sentences(), trainer)
    return tokenizer


def _sentences() -> Iterator[str]:
    for dimension in DIMENSIONS:
        yield templates.rating_question(dimension)
        yield templates.scoring_question(dimension)
        for level in levels_of(dimension):
            yield f"{templates.rating_stem(dimension)} {level}."
    for dimension in FAULT_DIMENSIONS:
        yield templates.distorted_question(dimension)
    for name in ALL_ATTRIBUTES:
        yield templates.attribute_question(name)
        for level in QUALITY_LEVELS:
            yield templates.description(level, name, ["shake", name])
    for level in QUALITY_LEVELS:
        yield templates.description(level, NO_FAULT, [])
    for first, second in itertools.combinations(ALL_ATTRIBUTES, 2):
        yield questions.which([first, second, NO_FAULT]).text
    yield from (f"{templates.YES}.", f"{templates.NO}.", *ALL_ATTRIBUTES, NO_FAULT)
    yield from (templates.MOST_QUESTION, templates.DESCRIBE_QUESTION)
    yield "0 1 2 3 4 5 6 7 8 9"
