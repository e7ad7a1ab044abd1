from assessments import make_assessment
from finevq.records import Failure
from finevq.report.rows import COLUMNS, flat_row
from finevq.vocabulary import ALL_ATTRIBUTES, Dimension


def test_every_row_has_every_column_with_its_type():
    for outcome in (
        make_assessment("a.mp4", timeline=True, warnings=("w",)),
        Failure("b.mp4", "VideoDecodeError", "no frame"),
    ):
        row = flat_row(outcome)
        assert list(row) == list(COLUMNS)
        for name, cell in row.items():
            assert cell is None or type(cell) is COLUMNS[name], name


def test_an_assessment_fills_all_but_the_error():
    row = flat_row(make_assessment("a.mp4", timeline=True, warnings=("w",)))
    assert [name for name, cell in row.items() if cell is None] == ["error_type", "error_message"]


def test_every_attribute_stands_in_its_own_column():
    assessment = make_assessment("a.mp4")
    row = flat_row(assessment)
    estimates = {
        e.name: e.probability for part in assessment.dimensions.values() for e in part.attributes
    }
    assert set(estimates) == set(ALL_ATTRIBUTES)
    for name, probability in estimates.items():
        assert row[f"{name.replace(' ', '_')}_probability"] == round(probability, 4)


def test_scores_are_those_of_the_record():
    assessment = make_assessment("a.mp4", {d: 10.0 * (i + 1) for i, d in enumerate(Dimension)})
    row = flat_row(assessment)
    assert [row[f"{d}_score"] for d in Dimension] == [10, 20, 30, 40, 50, 60]


def test_a_failure_says_what_went_wrong():
    row = flat_row(Failure("b.mp4", "VideoDecodeError", "no frame"))
    filled = {name: cell for name, cell in row.items() if cell is not None}
    assert filled == {
        "video": "b.mp4",
        "error_type": "VideoDecodeError",
        "error_message": "no frame",
    }


def test_a_name_that_is_no_utf8_stays_readable():
    assert flat_row(Failure("caf\udce9.mp4", "E", "m"))["video"] == r"caf\xe9.mp4"
