import pytest

from finevq.vocabulary import (
    ALL_ATTRIBUTES,
    DIMENSIONS,
    RELEASE_SPELLINGS,
    Dimension,
    dimension_of,
    level_index,
    levels_of,
)


def test_there_are_six_dimensions_and_27_attributes():
    assert len(DIMENSIONS) == 6
    assert len(ALL_ATTRIBUTES) == len(set(ALL_ATTRIBUTES)) == 27


def test_every_dimension_has_five_levels_worst_first():
    assert levels_of(Dimension.NOISE)[0] == "severe"
    assert levels_of(Dimension.COLOR)[-1] == "excellent"
    assert all(len(levels_of(dimension)) == 5 for dimension in DIMENSIONS)


def test_release_spellings_lead_to_standard_names():
    assert set(RELEASE_SPELLINGS.values()) <= set(ALL_ATTRIBUTES)


def test_an_unknown_attribute_names_the_known_ones():
    with pytest.raises(KeyError, match="known: low saturation"):
        dimension_of("sparkles")


@pytest.mark.parametrize(("score", "level"), [(0, 0), (20, 1), (59.9, 2), (60, 3), (100, 4)])
def test_levels_are_five_equal_bins(score: float, level: int):
    assert level_index(score, 0, 100) == level


def test_an_empty_range_is_an_error():
    with pytest.raises(ValueError, match="not below"):
        level_index(1, 5, 5)
