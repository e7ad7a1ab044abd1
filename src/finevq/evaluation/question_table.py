"""Table 2: answers to the paper's questions, with the floors and without the shortcuts.

Two tables come out: the paper's accuracies beside shortcut-controlled variants of the two
which-questions, and a second one with what accuracy hides (balanced accuracy, MCC, AUROC, ECE).
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from finevq.datasets.labels import LabelSet
from finevq.datasets.questions import (
    YES,
    Question,
    control_shortcuts,
    exist_questions,
    most_questions,
    yes_no_questions,
)
from finevq.evaluation.assessments import Answerer
from finevq.evaluation.classification import (
    accuracy,
    auroc,
    balanced_accuracy,
    expected_calibration_error,
    macro_f1,
    mcc,
)
from finevq.evaluation.contenders import Bench, Contender, Options
from finevq.evaluation.floors import TextOnlySolver, majority_answer
from finevq.evaluation.measure import Measure, Vector, undefined
from finevq.evaluation.published import SOURCE, load
from finevq.evaluation.tables import Cell, Column, Kind, Row, Table, add_published
from finevq.evaluation.uncertainty import bootstrap_interval
from finevq.records import Failure
from finevq.vocabulary import FAULT_DIMENSIONS

Answers = Sequence[Mapping[str, float] | None]
AnswerSet = Callable[[Sequence[Question]], Answers]

_WHICH = ("exist", "most")
_DETAIL = {
    "balanced": "balanced",
    "mcc": "MCC",
    "auroc": "AUROC",
    "f1": "macro F1",
    "ece": "ECE",
}


def question_tables(
    bench: Bench, contenders: Sequence[Contender], options: Options, *, paper: bool = True
) -> list[Table]:
    """Compare answerers on the test part of FineVD, or a data set in its layout.

    Args:
        bench: The data set with question labels.
        contenders: Those without an answerer have no row.
        options: Bootstrap and seed.
        paper: Whether the paper's table 2 stands beside ours.
    """
    sets = question_sets(bench.test_labels(), options.seed)
    main = Table(
        key="table2",
        title=f"Questions on {bench.caption}: accuracy",
        columns=[_main_column(key) for key in sets],
        is_published_comparable=not paper or bench.is_official_finevd,
        notes=[
            "; ".join(f"{key}: {len(questions)} questions" for key, questions in sets.items())
            + ".",
            "controlled: blocks of four videos share four options, each right once, so that the "
            "text alone is worth 1/4 exactly.",
        ],
    )
    detail = Table(
        key="table2-detail",
        title=f"Questions on {bench.caption}: what accuracy hides",
        columns=_detail_columns(sets),
        notes=["AUROC of the probability of yes; ECE of the confidence in the given answer."],
    )
    if paper:
        add_published(main, load("table2"), f"{SOURCE}, table 2")
    for contender in contenders:
        if contender.answerer is not None:
            ask = _asker(contender.answerer, bench)
            _add(main, detail, contender.name, "method", ask, sets, options)
    _add(main, detail, "majority answer", "floor", _majority, sets, options)
    solvers = _text_only(bench.train_labels(), options.seed)
    if solvers:
        which = {key: questions for key, questions in sets.items() if key.split()[0] in _WHICH}
        for key, questions in which.items():
            ask = _solve_with(solvers[key])
            _add(main, detail, "text only", "floor", ask, {key: questions}, options)
        _join_rows(main, "text only")
        _join_rows(detail, "text only")
    return [main, detail]


def question_sets(labels: LabelSet, seed: int) -> dict[str, list[Question]]:
    """Return the question sets of a data set by column; sets without questions are left out."""
    rng = np.random.default_rng(seed)
    sets = {str(d): yes_no_questions(labels, d) for d in FAULT_DIMENSIONS}
    for key, family in zip(_WHICH, (exist_questions, most_questions), strict=True):
        sets[key] = family(labels)
        sets[f"{key} controlled"] = control_shortcuts(sets[key], rng)
    return {key: questions for key, questions in sets.items() if questions}


def _add(
    main: Table,
    detail: Table,
    name: str,
    kind: Kind,
    ask: AnswerSet,
    sets: Mapping[str, Sequence[Question]],
    options: Options,
) -> None:
    main_cells: dict[str, Cell] = {}
    detail_cells: dict[str, Cell] = {}
    num_missing = num_asked = 0
    for key, questions in sets.items():
        answers = ask(questions)
        pairs = [(q, a) for q, a in zip(questions, answers, strict=True) if a is not None]
        num_asked += len(questions)
        num_missing += len(questions) - len(pairs)
        main_cells[key] = _accuracy_cell(pairs, options)
        detail_cells |= _detail_cells(key, pairs)
    note = f"no answer to {num_missing} of {num_asked} questions" if num_missing else ""
    main.rows.append(Row(name=name, kind=kind, cells=main_cells, note=note))
    detail.rows.append(Row(name=name, kind=kind, cells=detail_cells))


def _accuracy_cell(pairs: Sequence[tuple[Question, Mapping[str, float]]], options: Options) -> Cell:
    said = [_best(answer) for _, answer in pairs]
    truth = [question.answer for question, _ in pairs]
    measure = accuracy(said, truth)
    if not options.num_resamples or not measure.is_defined:
        return Cell(measure)
    right = np.array([s == t for s, t in zip(said, truth, strict=True)], dtype=np.float64)
    blocks = [q.block if q.block >= 0 else q.asked.video for q, _ in pairs]
    interval = bootstrap_interval(
        _mean_of_first,
        right,
        right,
        rng=np.random.default_rng(options.seed),
        clusters=blocks,
        num_resamples=options.num_resamples,
    )
    return Cell(measure, interval)


def _mean_of_first(values: Vector, _: Vector) -> Measure:
    return Measure(float(values.mean()))


def _detail_cells(
    key: str, pairs: Sequence[tuple[Question, Mapping[str, float]]]
) -> dict[str, Cell]:
    said = [_best(answer) for _, answer in pairs]
    truth = [question.answer for question, _ in pairs]
    confidence = [min(1.0, answer[best]) for (_, answer), best in zip(pairs, said, strict=True)]
    is_yes_no = bool(pairs) and pairs[0][0].asked.family == "yes-no"
    measures = {
        "balanced": balanced_accuracy(said, truth),
        "mcc": mcc(said, truth),
        "f1": macro_f1(said, truth),
        "ece": expected_calibration_error(
            confidence, [s == t for s, t in zip(said, truth, strict=True)]
        ),
        "auroc": auroc([a[YES] for _, a in pairs], [t == YES for t in truth])
        if is_yes_no
        else undefined("a which-question has no single positive answer"),
    }
    if not is_yes_no:
        del measures["auroc"]
    return {f"{key}_{name}": Cell(measure) for name, measure in measures.items()}


def _best(answer: Mapping[str, float]) -> str:
    return max(answer, key=lambda option: answer[option])


def _asker(answerer: Answerer, bench: Bench) -> AnswerSet:
    clips = {clip.name: clip for clip in bench.clips()}

    def ask(questions: Sequence[Question]) -> Answers:
        outcomes = [answerer.answer(clips[q.asked.video], q.asked) for q in questions]
        return [None if isinstance(outcome, Failure) else outcome for outcome in outcomes]

    return ask


def _majority(questions: Sequence[Question]) -> Answers:
    """Answer each set with its own commonest answer: the best that any constant can do."""
    answer = majority_answer(questions)
    share = sum(q.answer == answer for q in questions) / len(questions)
    return [_certain(answer, question, share) for question in questions]


def _certain(answer: str, question: Question, share: float) -> dict[str, float]:
    rest = max(1, len(question.asked.options) - 1)
    said = {option: (1 - share) / rest for option in question.asked.options}
    return said | {answer: max(share, max(said.values(), default=0.0) + 1e-9)}


def _text_only(train: LabelSet | None, seed: int) -> dict[str, TextOnlySolver]:
    if train is None:
        return {}
    return {
        key: TextOnlySolver(questions)
        for key, questions in question_sets(train, seed).items()
        if key.split()[0] in _WHICH
    }


def _solve_with(solver: TextOnlySolver) -> AnswerSet:
    return lambda questions: [{solver.answer(q.asked): 1.0} for q in questions]


def _join_rows(table: Table, name: str) -> None:
    """Replace the rows of one name by a single one with all their cells."""
    same = [row for row in table.rows if row.name == name]
    cells = {key: cell for row in same for key, cell in row.cells.items()}
    note = "learnt on the training part which options are right, without seeing a video"
    table.rows = [row for row in table.rows if row.name != name]
    if same:
        table.rows.append(Row(name=name, kind=same[0].kind, cells=cells, note=note))


def _main_column(key: str) -> Column:
    family, _, variant = key.partition(" ")
    return Column(key=key, title=variant or "accuracy", group=family)


def _detail_columns(sets: Mapping[str, Sequence[Question]]) -> list[Column]:
    columns = []
    for key, questions in sets.items():
        is_yes_no = questions[0].asked.family == "yes-no"
        for name, title in _DETAIL.items():
            if name == "auroc" and not is_yes_no:
                continue
            columns.append(
                Column(key=f"{key}_{name}", title=title, group=key, higher_is_better=name != "ece")
            )
    return columns
