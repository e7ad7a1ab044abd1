from dataclasses import replace

from assessments import make_assessment
from finevq.records import Failure
from finevq.report.words import impact, media_facts, summary
from finevq.vocabulary import DIMENSIONS


def test_a_still_picture_has_no_length_and_no_rate():
    media = replace(make_assessment("a.jpg").media, num_frames=1, fps=None, duration_seconds=0.0)
    names = [name for name, _ in media_facts(media)]
    assert names[0] == "Picture"
    assert not {"Length", "Rate", "Frames"} & set(names)


def test_a_summary_counts_what_failed():
    outcomes = [
        make_assessment("a", dict.fromkeys(DIMENSIONS, 40.0)),
        Failure("b", "E", "m"),
        make_assessment("c", dict.fromkeys(DIMENSIONS, 60.0)),
    ]
    assert summary(outcomes) == "2 videos assessed, overall 40.0 to 60.0, mean 50.0; 1 failed"
    assert summary(outcomes[1:2]) == "0 videos assessed; 1 failed"


def test_no_fault_is_said_as_such():
    assessment = make_assessment("a", dict.fromkeys(DIMENSIONS, 90.0))
    assert impact(assessment) == "No fault stands out."
