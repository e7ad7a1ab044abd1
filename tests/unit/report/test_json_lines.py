import json
import os
from dataclasses import replace

import pytest

from assessments import make_assessment
from finevq.records import Failure
from finevq.report.json_lines import json_line, outcome_from_dict, to_json_dict


def test_decimals_are_sensible_everywhere():
    values = json.loads(json_line(make_assessment("a.mp4", timeline=True)))
    blur = values["dimensions"]["blur"]
    for number, digits in [
        (blur["score"], 2),
        (blur["percentile"], 1),
        (blur["distorted_probability"], 4),
        (blur["attributes"][0]["probability"], 4),
        (blur["level_probabilities"]["mild"], 4),
        (values["media"]["fps"], 3),
        (values["seconds"]["decode"], 3),
        (values["timeline"][3]["scores"]["color"], 2),
    ]:
        assert number == round(number, digits)
    assert values["media"]["fps"] == 29.97


def test_the_keys_are_those_of_the_record():
    assessment = make_assessment("a.mp4", timeline=True, warnings=("cut off",))

    def keys(value: object) -> object:
        if isinstance(value, dict):
            return {key: keys(part) for key, part in value.items()}
        return [keys(part) for part in value] if isinstance(value, list) else None

    assert keys(json.loads(json_line(assessment))) == keys(assessment.to_dict())


def test_a_line_is_one_line_of_ascii_whatever_the_name():
    line = json_line(Failure("a\nb\u2028ü\udce9.mp4", "VideoDecodeError", "x"))
    assert line.isascii()
    assert line.count(b"\n") == 1
    assert json.loads(line)["video"] == "a\nb\u2028ü\udce9.mp4"
    assert os.fsencode(json.loads(line)["video"]).endswith(b"\xe9.mp4")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_becomes_null(value: float):
    assessment = make_assessment("a.mp4")
    assessment = replace(assessment, media=replace(assessment.media, fps=value))
    assert json.loads(json_line(assessment))["media"]["fps"] is None


@pytest.mark.parametrize(
    "outcome",
    [
        make_assessment("a.mp4", timeline=True, warnings=("one", "two")),
        make_assessment("b.mp4"),
        Failure("c.mp4", "VideoDecodeError", "no frame"),
    ],
)
def test_a_record_survives_the_way_to_json_and_back(outcome):
    values = to_json_dict(outcome)
    again = outcome_from_dict(json.loads(json.dumps(values)))
    assert to_json_dict(again) == values
    assert type(again) is type(outcome)


def test_what_does_not_keep_the_contract_is_refused():
    with pytest.raises(KeyError):
        outcome_from_dict({"video": "a.mp4"})


def test_thumbnails_are_not_part_of_the_contract():
    with_pictures = make_assessment("a.mp4", thumbnails=True)
    assert b"thumbnail" not in json_line(with_pictures)
