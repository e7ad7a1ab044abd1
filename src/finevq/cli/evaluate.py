"""`finevq evaluate`: features, predictions, floors and the paper's tables."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table as RichTable
from typer.core import TyperGroup

from finevq.cli.options import (
    AsJson,
    DataSetPath,
    LowerIsBetter,
    ReportFolder,
    Resamples,
    Seed,
)

if TYPE_CHECKING:
    from finevq.evaluation.run import Report

_log = Console(stderr=True)


class _Group(TyperGroup):
    """Understands the short forms: a CSV stands for `scores CSV`, table3 for `tables --only 3`."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401 - click's own types
        word = args[0].lower() if args and args[0] not in self.commands else ""
        if word.endswith(".csv"):
            args = ["scores", *args]
        elif re.fullmatch("table[0-9]+", word):
            args = ["tables", "--only", word.removeprefix("table"), *args[1:]]
        return super().resolve_command(ctx, args)


group = typer.Typer(
    cls=_Group,
    no_args_is_help=True,
    help="Metrics, floors and the paper's tables. `table1` to `table7` stand for `tables --only 1` "
    "to `7`, `PREDICTIONS.csv` for `scores PREDICTIONS.csv`.",
)


def register(app: typer.Typer) -> None:
    """Add the `evaluate` group to the application."""
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
    lower_is_better: LowerIsBetter = False,
    keep_flagged: Annotated[
        bool,
        typer.Option("--keep-flagged", help="Keep videos that usual tables leave out."),
    ] = False,
    as_json: AsJson = False,
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


@group.command("tables")
def evaluate_tables(
    data: Annotated[
        list[str] | None,
        typer.Option(help="NAME=PATH of a data set (folder or label file); repeatable."),
    ] = None,
    synthetic: Annotated[
        Path | None,
        typer.Option(
            help="Folder of `finevq data synthesize`: its clips stand for FineVD and for another "
            "data set."
        ),
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="How many of the synthetic clips.")] = 300,
    only: Annotated[
        str, typer.Option(help="Which of the seven, such as 1,2,4; without it, all that can be.")
    ] = "",
    videos: Annotated[
        list[str] | None,
        typer.Option(help="NAME=FOLDER of a data set's videos, where that is another folder."),
    ] = None,
    split: Annotated[
        list[str] | None,
        typer.Option(help="NAME=FILE: a split file instead of the published split."),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(help="Preset, folder or hub id of a model to judge; repeatable."),
    ] = None,
    predictions: Annotated[
        list[Path] | None, typer.Option(help="CSV of scores to judge as a method; repeatable.")
    ] = None,
    answers: Annotated[
        list[Path] | None,
        typer.Option(help="Result file of lmms-eval (.jsonl) or VLMEvalKit (.tsv); repeatable."),
    ] = None,
    out: ReportFolder = None,
    resamples: Resamples = 1000,
    repeats: Annotated[int, typer.Option(min=1, help="Random splits where none is published.")] = (
        100
    ),
    seed: Seed = 0,
) -> None:
    """Compute the paper's tables in one go, with one pass of each model over the videos.

    1: scores of six dimensions on FineVD. 2: yes/no and which-questions, with shortcut controls.
    3: scores on other data sets. 4: a head trained on other sets, tested on FineVD. 5: trained on
    FineVD, tested on other sets. 6: ablation. 7: running time.
    """
    from finevq.datasets.synthetic_release import write_benches  # start-up time
    from finevq.evaluation.contenders import Contender, Options, from_model
    from finevq.evaluation.interchange import ImportedAnswers
    from finevq.evaluation.joining import count_frames, open_benches
    from finevq.evaluation.predictions import PredictionFile, fingerprint_folder
    from finevq.evaluation.run import choose_tables, run_tables
    from finevq.inference.loading import find_folder, load
    from finevq.settings import load_settings

    settings = load_settings()
    cache_dir = settings.cache_dir.expanduser() / "evaluation"
    sets = _pairs(data)
    if synthetic is not None:
        sets = {**write_benches(synthetic, cache_dir, count=count, seed=seed), **sets}
    needs_files = bool(model) and not (predictions or answers)
    benches = open_benches(sets, _pairs(videos), _pairs(split), only_with_files=needs_files)
    numbers = choose_tables(only, benches)
    sessions = {name: load(name, settings=settings) for name in model or []}
    contenders = [
        from_model(session, fingerprint_folder(find_folder(name, settings)), cache_dir)
        for name, session in sessions.items()
    ]
    contenders += [Contender(scorer=PredictionFile(file)) for file in predictions or []]
    imported = [ImportedAnswers(file) for file in answers or []]
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
            timed={session.name: session for session in sessions.values()},
        )
    _show(report, out)


@group.command("export")
def export_questions(
    out: Annotated[Path, typer.Argument(help="Folder for the task files.")],
    data: Annotated[
        list[str], typer.Option(help="finevd=PATH of the release, or of a folder in its layout.")
    ],
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
    dataset: Annotated[str, typer.Option(help="Name of the data set.")],
    path: DataSetPath,
    lower_is_better: LowerIsBetter = False,
    out: ReportFolder = None,
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


def _show(report: "Report", out: Path | None) -> None:
    print(report.markdown())
    if out is not None:
        for path in report.write(out):
            _log.print(f"wrote {path}", markup=False, highlight=False)


def _pairs(options: list[str] | None) -> dict[str, Path]:
    pairs = {}
    for option in options or []:
        name, sign, path = option.partition("=")
        if not (name and sign and path):
            raise typer.BadParameter(f"{option!r}: write NAME=PATH, such as finevd=/data/FineVD")
        if name in pairs:
            raise typer.BadParameter(f"{name} comes twice; CSVs may be told apart as csv:NAME=PATH")
        pairs[name] = Path(path)
    return pairs
