import csv
import json
import runpy
import sys
import types

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


def test_a_folder_of_saved_samples_is_one_method(labels, tmp_path):
    """Saved samples carry no doc, only what process_results returned; one file a task."""
    export_all(labels, tmp_path)
    functions = runpy.run_path(str(tmp_path / "lmms_eval" / "finevd_functions.py"))
    folder = tmp_path / "my-model"
    folder.mkdir()
    for path in sorted((tmp_path / "lmms_eval").glob("*.jsonl")):
        saved = []
        for number, line in enumerate(path.read_text().splitlines()):
            doc = json.loads(line)
            sample = {"doc_id": number, "target": doc["answer"], "filtered_resps": doc["answer"]}
            saved.append(sample | functions["process_results"](doc, [doc["answer"]]))
        text = "".join(json.dumps(sample) + "\n" for sample in saved)
        (folder / f"20260101_samples_{path.stem}.jsonl").write_text(text)
    imported = ImportedAnswers(folder)
    assert imported.name == "my-model"
    for questions in question_sets(labels, 0).values():
        said = [imported.answer(Clip("", q.asked.video), q.asked) for q in questions]
        assert [max(answer, key=answer.get) for answer in said] == [q.answer for q in questions]
    assert len(list(imported.score(labels.clips()))) == len(labels)
    with pytest.raises(DatasetError, match="--log_samples"):
        ImportedAnswers(tmp_path / "lmms_eval")


def test_questions_are_a_video_data_set_of_vlmevalkit(labels, tmp_path, monkeypatch):
    """Run against the kit's contract: prepare_dataset, build_prompt, evaluate."""
    import pandas

    class Base:
        def __init__(self, dataset, nframe):
            found = self.prepare_dataset(dataset)
            self.data_root, self.nframe = found["root"], nframe
            self.data = pandas.read_csv(found["data_file"], sep="\t")

    registry: dict[str, object] = {}
    modules = {
        "vlmeval": {},
        "vlmeval.dataset": {},
        "vlmeval.dataset.video_base": {"VideoBaseDataset": Base},
        "vlmeval.dataset.video_dataset_config": {"supported_video_datasets": registry},
        "vlmeval.smp": {"load": lambda path: pandas.read_csv(path, sep="\t")},
    }
    for name, content in modules.items():
        module = types.ModuleType(name)
        module.__dict__.update(content)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setenv("FINEVD_VIDEOS", "/videos")
    export_all(labels, tmp_path)
    runpy.run_path(str(tmp_path / "finevd_vlmevalkit.py"))
    data_set = registry["FineVD_8frame"]()
    video, text = data_set.build_prompt(0, video_llm=True)
    assert video == {"type": "video", "value": "/videos/v0.mp4"}
    assert text["value"].splitlines()[1:3] == ["A. yes", "B. no"]
    data_set.data.assign(prediction=data_set.data["answer"]).to_csv(
        tmp_path / "result.tsv", sep="\t", index=False
    )
    assert (data_set.evaluate(tmp_path / "result.tsv")["accuracy"] == 1).all()
