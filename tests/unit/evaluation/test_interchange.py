import csv
import json
import runpy

import pytest

from finevq.datasets.labels import LabelledVideo, LabelSet
from finevq.errors import DatasetError
from finevq.evaluation.classification import accuracy
from finevq.evaluation.interchange import ImportedAnswers, export_all, option_said
from finevq.evaluation.question_table import question_sets
from finevq.records import Clip, Failure
from finevq.vocabulary import Dimension

_ANSWERS = ("none", "moire", "shake", "blocking", "motion blur", "none", "moire", "shake")


@pytest.fixture
def labels():
    videos = tuple(
        LabelledVideo(
            name=f"v{i}.mp4",
            mos={d: 50.0 + i + n for n, d in enumerate(Dimension)},
            existing_distortion=answer,
            options_shown=("none", "moire", "shake", "blocking", "motion blur"),
            is_distorted={Dimension.BLUR: answer == "motion blur"},
        )
        for i, answer in enumerate(_ANSWERS)
    )
    return LabelSet(name="finevd", scale=(0, 100), videos=videos, source="")


def test_lmms_eval_answers_come_back_as_they_were_given(labels, tmp_path):
    written = export_all(labels, tmp_path)
    samples = tmp_path / "samples.jsonl"
    with samples.open("w") as out:
        for path in written:
            if path.suffix == ".jsonl":
                for line in path.read_text().splitlines():
                    doc = json.loads(line)
                    out.write(json.dumps({"doc": doc, "resps": [[doc["answer"]]]}) + "\n")
    imported = ImportedAnswers(samples)
    for questions in question_sets(labels, 0).values():
        said = [imported.answer(Clip("", q.asked.video), q.asked) for q in questions]
        best = [max(answer, key=answer.get) for answer in said]
        assert accuracy(best, [q.answer for q in questions]).value == 1
    scores = list(imported.score(labels.clips()))
    assert [s.values[Dimension.COLOR] for s in scores] == labels.mos(Dimension.COLOR)


def test_the_functions_of_the_exported_tasks_run(labels, tmp_path, monkeypatch):
    export_all(labels, tmp_path)
    functions = runpy.run_path(str(tmp_path / "lmms_eval" / "finevd_functions.py"))
    monkeypatch.setenv("FINEVD_VIDEOS", "/videos")
    docs = [
        json.loads(line)
        for line in (tmp_path / "lmms_eval" / "finevd_exist.jsonl").read_text().splitlines()
    ]
    assert functions["doc_to_visual"](docs[0]) == ["/videos/v0.mp4"]
    assert functions["doc_to_text"](docs[0]).count("\n") == 6
    results = [functions["process_results"](d, [f"({d['answer']})"])["accuracy"] for d in docs]
    assert functions["aggregate_accuracy"](results) == 1
    yaml = (tmp_path / "lmms_eval" / "finevd_exist.yaml").read_text()
    assert "!function finevd_functions.doc_to_visual" in yaml


def test_a_vlmevalkit_result_is_read_back(labels, tmp_path):
    export_all(labels, tmp_path)
    with (tmp_path / "FineVD_questions.tsv").open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert {row["answer"] for row in rows} <= set("ABCDE")
    result = tmp_path / "result.tsv"
    with result.open("w", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0], "prediction"], delimiter="\t")
        writer.writeheader()
        writer.writerows({**row, "prediction": "A"} for row in rows)
    imported = ImportedAnswers(result)
    question = question_sets(labels, 0)["exist"][0].asked
    answer = imported.answer(Clip("", question.video), question)
    assert list(answer.values()) == [1, 0, 0, 0, 0]
    assert answer[question.options[0]] == 1


def test_nonsense_is_no_answer(labels, tmp_path):
    question = question_sets(labels, 0)["exist"][0].asked
    assert option_said("I cannot see a video", question.options) is None
    result = tmp_path / "result.csv"
    result.write_text("key,prediction\nother,A\n")
    assert isinstance(ImportedAnswers(result).answer(Clip("", "v0"), question), Failure)
    result.write_text("key,answer\n1,A\n")
    with pytest.raises(DatasetError, match="key and prediction"):
        ImportedAnswers(result)
