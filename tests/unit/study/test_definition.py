from pathlib import Path

import pytest

from finevq.errors import ConfigError
from finevq.study.definition import build_definition, load_values


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed: first", "seed is 'first'; it must be a whole number"),
        ("seed: -1", "seed is -1; it must be 0 or more"),
        ("seed: yes", "seed is True; it must be a whole number"),
        ("title: 2024", "title is 2024; it must be a text; put a number into quotes"),
        ("dimensions: overall", "dimensions is 'overall'; it must be a list"),
        ("dimensions: [3]", "dimension 3 is neither a name nor a mapping"),
        ("dimensions: [sharpness]", "dimension 'sharpness' is none of color, "),
        ("dimensions: [blur, blur]", "dimensions occur twice"),
        ("dimensions: [{name: a, levels: [one]}]", "needs a name and 2 to 11 levels"),
        ("questions: Age", "questions is 'Age'; it must be a list"),
        ("session: 3", "session is 3; it must be a mapping"),
        ("session: {clips_per_block: many}", "clips_per_block is 'many'; it must be a number"),
        ("session: {clips_per_block: 0}", "clips_per_block must be at least 1"),
        ("session: {break_minutes: null}", "break_minutes is None; it must be a number"),
        ("session: {max_replays: -1}", "max_replays is -1; it must be a number, 0 or more"),
        ("repeat_share: half", "repeat_share is 'half'; it must be a number"),
        ("repeat_share: 0.8", "repeat_share is 0.8; allowed is 0 to 0.5"),
        ("source_pattern: '('", "source_pattern is no regular expression"),
        ("clips: [a.mp4]", "clips is .* it must be a mapping"),
        ("clips: {a.mp4: gold}", "clips.a.mp4 is 'gold'; it must be a mapping"),
        ("clips: {a.mp4: {answers: good}}", "clips.a.mp4.answers is no mapping"),
        ("sesion: {}", "unknown setting 'sesion' in study; did you mean 'session'"),
        ("viewing: {widht: 3}", "unknown setting 'widht' in viewing"),
        ("- a", "must be a mapping of settings, not list"),
        ("a: [", "is no YAML"),
    ],
)
def test_an_impossible_setting_is_named(tmp_path: Path, text: str, message: str) -> None:
    config = tmp_path / "study.yaml"
    config.write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_values(config)


def test_conditions_that_do_not_matter_are_null() -> None:
    definition = build_definition({"viewing": {"distance_centimeters": None}})
    assert definition.viewing.distance_centimeters is None
