"""`finevq evaluate`: features, predictions, floors and the paper's tables."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table as RichTable
from typer.core import TyperGroup

if TYPE_CHECKING:
    from finevq.evaluation.run import Report
    from finevq.inference.session import Session

_log = Console(stderr=True)


class _Group(TyperGroup):
    """Lets `finevq evaluate predictions.csv ...` stand for `finevq evaluate scores ...`."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401 - click's own types
        if args and args[0] not in self.commands and args[0].lower().endswith(".csv"):
            args = ["scores", *args]
        return super().resolve_command(ctx, args)


group = typer.Typer(
    cls=_Group, no_args_is_help=True, help="Metrics, floors and the paper's tables."
)

Data = Annotated[
    list[str],
    typer.Option("--data", help="NAME=PATH of a data set (folder or label file); repeatable."),
]
Videos = Annotated[
    list[str] | None,
    typer.Option("--videos", help="NAME=FOLDER of its videos, where that is another folder."),
]
Splits = Annotated[
    list[str] | None,
    typer.Option("--split", help="NAME=FILE: a split file instead of the published split."),
]
Models = Annotated[
    list[str] | None,
    typer.Option("--model", help="Preset, folder or hub id of a model to judge; repeatable."),
]
PredictionFiles = Annotated[
    list[Path] | None,
    typer.Option("--predictions", help="CSV of scores to judge as a method; repeatable."),
]
Answers = Annotated[
    list[Path] | None,
    typer.Option("--answers", help="Result file of lmms-eval (.jsonl) or VLMEvalKit (.tsv)."),
]
Out = Annotated[Path | None, typer.Option(help="Folder for Markdown, CSV, LaTeX, HTML and plots.")]
Resamples = Annotated[int, typer.Option(min=0, help="Bootstrap resamples; 0: no intervals.")]
Repeats = Annotated[int, typer.Option(min=1, help="Random splits where none is published.")]
Seed = Annotated[int, typer.Option(help="Seed of bootstrap, splits and controls.")]


def register(app: typer.Typer) -> None:
    """Add the `evaluate` group to the application."""
    for number in range(1, 8):
        group.command(f"table{number}", help=_TABLE_HELP[number])(_table_command(number))
    app.add_typer(group, name="evaluate")


@group.command("features")
def evaluate_features(
    features: Annotated[
        Path, typer.Argument(help="Feature matrix, one row a video: .mat, .npy, .npz or .csv.")
    ],
    labels: Annotated[Path, typer.Option(help="Label CSV of the same videos in the same order.")],
    protocol: Annotated[
        str, typer.Option(help="random-80-20: repeated random splits.")
    ] = "random-80-20",
    repeats: Annotated[int, typer.Option(help="Number of splits.")] = 100,
    regressor: Annotated[
        str, typer.Option(help="svr, ridge, or none where one column is the score.")
    ] = "svr",
    seed: Annotated[
        int | None, typer.Option(help="Seed of the splits; without it, VIDEVAL's published ones.")
    ] = None,
    variable: Annotated[str, typer.Option(help="Matrix inside a .mat or .npz.")] = "",
    lower_is_better: Annotated[
        bool, typer.Option("--lower-is-better", help="Scores fall as quality rises (NIQE).")
    ] = False,
    keep_flagged: Annotated[
        bool,
        typer.Option("--keep-flagged", help="Keep videos that usual tables leave out."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Judge hand-crafted features as their papers do: a regressor on random 80:20 splits."""
    from finevq.evaluation.feature_files import evaluate_feature_file  # start-up time

    with _log.status("splitting") as status:
        summary = evaluate_feature_file(
            features,
            labels,
            protocol=protocol,
            repeats=repeats,
            regressor=regressor,
            seed=seed,
            variable=variable,
            higher_is_better=not lower_is_better,
            keep_flagged=keep_flagged,
            progress=lambda done, total: status.update(f"split {done} of {total}"),
        )
    for note in summary["notes"]:
        _log.print(note, markup=False)
    if as_json:
        print(json.dumps(summary))
    else:
        _show_summary(summary)


def _show_summary(summary: dict[str, Any]) -> None:
    table = RichTable("metric", "median", "std")
    for name in ("srcc", "krcc", "plcc", "rmse"):
        table.add_row(name.upper(), *(_number(summary[name][key]) for key in ("median", "std")))
    Console().print(table)


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4f}"


_TABLE_HELP = {
    1: "Scores of six dimensions on FineVD, beside the paper's table 1.",
    2: "Yes/no and which-questions on FineVD, beside table 2, with shortcut controls.",
    3: "Scores on other data sets, beside table 3.",
    4: "Train a head on other data sets, test on FineVD, beside table 4.",
    5: "Train a head on FineVD, test on other data sets, beside table 5.",
    6: "Ablation, beside table 6.",
    7: "Running time, beside table 7.",
}


def _table_command(number: int) -> Callable[..., None]:
    def command(
        data: Data,
        videos: Videos = None,
        split: Splits = None,
        model: Models = None,
        predictions: PredictionFiles = None,
        answers: Answers = None,
        out: Out = None,
        resamples: Resamples = 1000,
        repeats: Repeats = 100,
        seed: Seed = 0,
    ) -> None:
        files = (predictions or [], answers or [])
        _run(
            [number], (data, videos or [], split or []), model, files, out, resamples, repeats, seed
        )

    return command


@group.command("tables")
def evaluate_tables(
    data: Data,
    only: Annotated[str, typer.Option(help="Which of the seven, such as 1,2,4.")] = "1,2,3,4,5,6,7",
    videos: Videos = None,
    split: Splits = None,
    model: Models = None,
    predictions: PredictionFiles = None,
    answers: Answers = None,
    out: Out = None,
    resamples: Resamples = 1000,
    repeats: Repeats = 100,
    seed: Seed = 0,
) -> None:
    """Compute several of the paper's tables in one go, one pass of each model over the videos."""
    try:
        numbers = [int(word) for word in only.split(",") if word.strip()]
    except ValueError:
        raise typer.BadParameter(f"--only {only}: numbers from 1 to 7 with commas") from None
    files = (predictions or [], answers or [])
    _run(numbers, (data, videos or [], split or []), model, files, out, resamples, repeats, seed)


@group.command("export")
def export_questions(
    out: Annotated[Path, typer.Argument(help="Folder for the task files.")],
    data: Data,
    seed: Seed = 0,
) -> None:
    """Write FineVD's questions and scores for lmms-eval and VLMEvalKit."""
    from finevq.evaluation.interchange import export_all  # start-up time
    from finevq.evaluation.joining import open_benches

    for bench in open_benches(_pairs(data), {}).values():
        for path in export_all(bench.test_labels(), out, seed=seed):
            print(path)


@group.command("scores")
def evaluate_scores(
    predictions: Annotated[
        list[Path], typer.Argument(help="CSV of predictions: video, score or dimensions.")
    ],
    dataset: Annotated[str, typer.Option("--dataset", help="Name of the data set.")],
    path: Annotated[Path, typer.Option("--path", help="Its folder or label file.", exists=True)],
    lower_is_better: Annotated[
        bool, typer.Option("--lower-is-better", help="Scores fall as quality rises.")
    ] = False,
    out: Out = None,
    resamples: Resamples = 1000,
    seed: Seed = 0,
) -> None:
    """Judge predictions on a data set: `finevq evaluate predictions.csv --dataset NAME`."""
    from finevq.evaluation.contenders import Contender, Options  # start-up time
    from finevq.evaluation.joining import open_bench
    from finevq.evaluation.predictions import PredictionFile
    from finevq.evaluation.run import evaluate_predictions

    contenders = [
        Contender(scorer=PredictionFile(file, higher_is_better=not lower_is_better))
        for file in predictions
    ]
    options = Options(num_resamples=resamples, seed=seed)
    _show(evaluate_predictions(open_bench(dataset, path), contenders, options), out)


def _run(
    numbers: list[int],
    sets: tuple[list[str], list[str], list[str]],
    models: list[str] | None,
    files: tuple[list[Path], list[Path]],
    out: Path | None,
    resamples: int,
    repeats: int,
    seed: int,
) -> None:
    from finevq.evaluation.assessments import AssessmentSource  # start-up time
    from finevq.evaluation.contenders import Contender, Options, from_assessments
    from finevq.evaluation.interchange import ImportedAnswers
    from finevq.evaluation.joining import count_frames, open_benches
    from finevq.evaluation.predictions import PredictionFile
    from finevq.evaluation.run import run_tables
    from finevq.settings import load_settings

    cache_dir = load_settings().cache_dir.expanduser() / "evaluation"
    benches = open_benches(*map(_pairs, sets))
    sessions = _load_models(models or [])
    contenders = [
        from_assessments(
            AssessmentSource(
                session.assess,
                name=session.name,
                version=session.version,
                scale=session.scale,
                cache_dir=cache_dir,
            )
        )
        for session in sessions
    ]
    contenders += [Contender(scorer=PredictionFile(file)) for file in files[0]]
    imported = [ImportedAnswers(file) for file in files[1]]
    contenders += [Contender(scorer=found, answerer=found) for found in imported]
    with _log.status("scoring") as status:
        options = Options(
            num_resamples=resamples,
            seed=seed,
            repeats=repeats,
            cache_dir=cache_dir,
            progress=lambda done, total: status.update(f"video {done} of {total}"),
        )
        report = run_tables(
            numbers,
            benches,
            contenders,
            options,
            num_frames=count_frames(benches) if 7 in numbers else {},
            timed={session.name: session for session in sessions},
        )
    _show(report, out)


def _load_models(names: list[str]) -> list["Session"]:
    if not names:
        return []
    from finevq.inference.loading import load  # start-up time

    return [load(name) for name in names]


def _show(report: "Report", out: Path | None) -> None:
    print(report.markdown())
    if out is not None:
        for path in report.write(out):
            _log.print(f"wrote {path}", markup=False, highlight=False)


def _pairs(options: list[str]) -> dict[str, Path]:
    pairs = {}
    for option in options:
        name, sign, path = option.partition("=")
        if not (name and sign and path):
            raise typer.BadParameter(f"{option!r}: write NAME=PATH, such as finevd=/data/FineVD")
        pairs[name.lower()] = Path(path)
    return pairs
