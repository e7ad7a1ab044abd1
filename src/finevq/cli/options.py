"""Options that several commands share, spelled once."""

from pathlib import Path
from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object.")]
DataSetPath = Annotated[
    Path, typer.Option("--path", help="The data set's folder, or its label file.", exists=True)
]
LowerIsBetter = Annotated[
    bool, typer.Option("--lower-is-better", help="Scores fall as quality rises (NIQE).")
]
Resamples = Annotated[int, typer.Option(min=0, help="Bootstrap resamples; 0: no intervals.")]
ReportFolder = Annotated[
    Path | None, typer.Option("--out", help="Folder for Markdown, CSV, LaTeX, HTML and plots.")
]
Seed = Annotated[int, typer.Option(min=0, help="Same seed, same result.")]
