"""FineVD's questions and scores for the harnesses of the field, and their answers back.

Export: lmms-eval task files (a YAML per task, a JSON-lines data file, a Python file of the three
functions that the YAML names) and a VLMEvalKit TSV (index, video, question, options A.., answer)
with the Python file that makes it a video data set there.
Import: lmms-eval sample logs (JSON lines) and VLMEvalKit result files (TSV or CSV with a
`prediction` column) as answers to our questions, so that table 2 judges them.

Source of the formats: github.com/EvolvingLMMs-Lab/lmms-eval, docs/task_guide.md;
github.com/open-compass/VLMEvalKit, docs/en/Development.md.
"""

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from finevq.datasets.labels import LabelSet
from finevq.datasets.questions import AskedQuestion, Question
from finevq.errors import DatasetError
from finevq.evaluation.question_table import question_sets
from finevq.records import Clip, Failure, Score
from finevq.vocabulary import DIMENSIONS

LETTERS = "ABCDEF"
_MODULES = {
    "lmms_eval_functions.py.txt": "finevd_functions.py",
    "vlmevalkit_dataset.py.txt": "finevd_vlmevalkit.py",
}
"""Files of `finevq.evaluation.harness` that go out as they are, under another name."""


def question_key(asked: AskedQuestion) -> str:
    """Return the identity of a question, the same in export and import.

    >>> question_key(AskedQuestion(video="a.mp4", family="most", text="?", options=("blur",)))
    'most||a.mp4|blur'
    """
    options = "/".join(asked.options)  # the controlled variants show others
    return f"{asked.family}|{asked.dimension or ''}|{asked.video}|{options}"


def prompt_of(asked: AskedQuestion) -> str:
    """Return the question with lettered options."""
    lines = [f"{letter}. {word}" for letter, word in zip(LETTERS, asked.options, strict=False)]
    return "\n".join([asked.text, *lines, "Answer with the letter of the right option only."])


def export_lmms_eval(
    questions: Mapping[str, Sequence[Question]], labels: LabelSet, folder: Path
) -> list[Path]:
    """Write lmms-eval tasks: one for each question set and one for each dimension's score.

    Args:
        questions: Question sets by name, as `question_table.question_sets` makes them.
        labels: The videos whose scores are asked for.
        folder: Where the task files go.

    Returns:
        What was written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = [_write_module("lmms_eval_functions.py.txt", folder)]
    template = _harness_file("lmms_eval_task.yaml")
    tasks = [
        (f"finevd_{name.replace(' ', '_')}", "accuracy", [_choice_doc(q) for q in asked])
        for name, asked in questions.items()
    ]
    for dimension in DIMENSIONS:
        if dimension in labels.dimensions:
            docs = [
                {
                    "key": f"score|{dimension}|{video.name}",
                    "kind": "score",
                    "video": video.name,
                    "prompt": f"Rate the {dimension} quality of this video from "
                    f"{labels.scale[0]:g} (worst) to {labels.scale[1]:g} (best). "
                    "Answer with a number only.",
                    "answer": str(video.mos[dimension]),
                }
                for video in labels.videos
            ]
            tasks.append((f"finevd_score_{dimension}", "srcc", docs))
    for task, metric, docs in tasks:
        yaml = template.replace("@TASK@", task).replace("@METRIC@", metric)
        written += [folder / f"{task}.yaml", folder / f"{task}.jsonl"]
        written[-2].write_text(yaml, encoding="utf-8")
        written[-1].write_text("".join(json.dumps(doc) + "\n" for doc in docs), encoding="utf-8")
    return written


def export_all(labels: LabelSet, folder: Path, *, seed: int = 0) -> list[Path]:
    """Write the tasks of both harnesses, controlled variants included.

    Args:
        labels: FineVD's test part, or a data set in its layout.
        folder: lmms-eval tasks go into `lmms_eval`, the TSV beside it.
        seed: Of the controlled variants; the same as for the tables that judge the answers.
    """
    sets = question_sets(labels, seed)
    written = export_lmms_eval(sets, labels, folder / "lmms_eval")
    table = folder / "FineVD_questions.tsv"
    export_vlmevalkit((question for asked in sets.values() for question in asked), table)
    return [*written, table, _write_module("vlmevalkit_dataset.py.txt", folder)]


def export_vlmevalkit(questions: Iterable[Question], path: Path) -> None:
    """Write questions as a TSV of multiple-choice questions, with VLMEvalKit's columns."""
    header = ["index", "video", "question", *LETTERS, "answer", "category", "key"]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter="\t")
        writer.writerow(header)
        for index, question in enumerate(questions):
            asked = question.asked
            options = [*asked.options, *[""] * (len(LETTERS) - len(asked.options))]
            answer = LETTERS[asked.options.index(question.answer)]
            category = " ".join(filter(None, (asked.family, str(asked.dimension or ""))))
            key = question_key(asked)
            video = asked.video.removesuffix(".mp4")  # the kit appends it
            writer.writerow([index, video, asked.text, *options, answer, category, key])


class ImportedAnswers:
    """Answers and scores that another harness collected: an `Answerer` and a `Scorer`.

    Args:
        path: lmms-eval samples (.jsonl), the folder that holds a file of them for each task, or a
            VLMEvalKit result (.tsv, .csv).
        name: Name in tables; that of the file or folder where empty.

    Raises:
        DatasetError: a file is no result of either, or the folder has none.
    """

    def __init__(self, path: Path, *, name: str = "") -> None:
        self._name = name or path.stem
        self._said: dict[str, str] = {}
        for file in _result_files(path):
            read = _read_lmms_eval if file.suffix == ".jsonl" else _read_vlmevalkit
            self._said |= read(file)

    @property
    def name(self) -> str:
        """Name in tables."""
        return self._name

    @property
    def version(self) -> str:
        """Imported answers have no version of their own."""
        return "imported"

    @property
    def scale(self) -> tuple[float, float]:
        """As asked for in the export: the data set's, mostly 0 to 100."""
        return (0.0, 100.0)

    @property
    def higher_is_better(self) -> bool:
        """As asked for in the export."""
        return True

    def score(self, videos: Sequence[Clip]) -> Iterator[Score | Failure]:
        """Give the numbers that were said of each clip."""
        for clip in videos:
            values = {}
            for dimension in DIMENSIONS:
                said = self._said.get(f"score|{dimension}|{clip.label}", "")
                if found := re.search(r"-?[0-9]+(?:[.][0-9]+)?", said):
                    values[dimension] = float(found.group())
            if values:
                yield Score(clip.label, values)
            else:
                yield Failure(clip.label, "DatasetError", "the file holds no score of this video")

    def answer(self, clip: Clip, asked: AskedQuestion) -> Mapping[str, float] | Failure:
        """Return certainty in the option that was said; a failure where none was."""
        said = self._said.get(question_key(asked))
        if said is None:
            return Failure(clip.label, "DatasetError", "the file holds no answer to this question")
        option = option_said(said, asked.options)
        if option is None:
            return Failure(clip.label, "DatasetError", f"{said!r} names none of the options")
        return {other: float(other == option) for other in asked.options}


def option_said(text: str, options: Sequence[str]) -> str | None:
    """Return the option that an answer names, by letter or by words; None where it names none.

    >>> option_said("B.", ("none", "blur")), option_said("It is the blur", ("none", "blur"))
    ('blur', 'blur')
    >>> option_said("", ("none", "blur")) is None
    True
    """
    letter = re.match(r"[^A-Za-z]*([A-F])(?![A-Za-z])", text.strip())
    if letter and LETTERS.index(letter.group(1)) < len(options):
        return options[LETTERS.index(letter.group(1))]
    lowered = text.lower()
    named = [o for o in options if re.search(rf"\b{re.escape(o.lower())}\b", lowered)]
    return max(named, key=len) if named else None


def _harness_file(name: str) -> str:
    return resources.files("finevq.evaluation.harness").joinpath(name).read_text(encoding="utf-8")


def _write_module(name: str, folder: Path) -> Path:
    path = folder / _MODULES[name]
    path.write_text(_harness_file(name), encoding="utf-8")
    return path


def _choice_doc(question: Question) -> dict[str, str]:
    asked = question.asked
    return {
        "key": question_key(asked),
        "kind": "choice",
        "video": asked.video,
        "prompt": prompt_of(asked),
        "answer": LETTERS[asked.options.index(question.answer)],
    }


def _result_files(path: Path) -> list[Path]:
    """Return the file, or the samples of a folder; of two runs of a task, the later counts."""
    if not path.is_dir():
        return [path]
    files = sorted(path.rglob("*_samples_*.jsonl"), key=lambda file: file.name)
    if not files:
        raise DatasetError(
            f"{path}: holds no *_samples_*.jsonl; run lmms-eval with --log_samples, or name a file"
        )
    return files


def _read_lmms_eval(path: Path) -> dict[str, str]:
    said: dict[str, str] = {}
    for number, line in enumerate(_lines(path), start=1):
        try:
            entry = json.loads(line)
            found = entry.get("filtered_resps") or entry["resps"]
            while isinstance(found, list):
                found = found[0]
            said[_key_of(entry)] = str(found)
        except (ValueError, KeyError, TypeError, IndexError, StopIteration) as error:
            raise DatasetError(f"{path}, line {number}: not a sample ({error!r})") from None
    return said


def _key_of(entry: Mapping[str, Any]) -> str:
    """Return the key of a sample's question.

    Saved samples carry no doc (evaluation_tracker.py of lmms-eval 0.7 drops it), but what
    `process_results` of our task files returned, and that repeats the key.
    """
    if "doc" in entry:
        return str(entry["doc"]["key"])
    return str(next(v["key"] for v in entry.values() if isinstance(v, dict) and "key" in v))


def _read_vlmevalkit(path: Path) -> dict[str, str]:
    delimiter = "," if path.suffix == ".csv" else "\t"
    rows = list(csv.DictReader(_lines(path), delimiter=delimiter))
    if not rows or "prediction" not in rows[0] or "key" not in rows[0]:
        raise DatasetError(f"{path}: needs the columns key and prediction of a VLMEvalKit result")
    return {row["key"]: row["prediction"] or "" for row in rows}


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path}: cannot be read ({error})") from None
