"""`finevq data`: synthesize degraded clips with known labels, look at faults, list sources."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from finevq.cli import data_sets
from finevq.cli.options import Seed
from finevq.errors import MissingExtraError

_Sources = Annotated[
    list[Path] | None,
    typer.Option("--sources", help="Folder of photographs and clips; may be given several times."),
]
_MosCsv = Annotated[
    Path | None,
    typer.Option("--mos-csv", help="Human scores of sources; only the better share is used."),
]
_KeepShare = Annotated[float, typer.Option(min=0.0, max=1.0, help="That share.")]
_Exclude = Annotated[
    list[str] | None, typer.Option(help="File name pattern to leave out; may be repeated.")
]
_RatedFolds = Annotated[
    str | None,
    typer.Option(help="Use scored files of these of five folds only, as 2,3,4; the rest judges."),
]
_ScikitImage = Annotated[bool, typer.Option(help="Add the photographs inside scikit-image.")]


def register(app: typer.Typer) -> None:
    """Add the command group to the app."""
    group = typer.Typer(no_args_is_help=True, help="Data sets: synthesize, preview, sources.")
    group.command("synthesize")(synthesize)
    group.command("preview")(preview)
    group.command("sources")(sources)
    group.command("fetch-wallpapers")(fetch_wallpapers)
    group.command("draw")(draw)
    data_sets.register_on(group)
    app.add_typer(group, name="data")


@contextmanager
def _synthesis_extra() -> Iterator[None]:
    """Say which extra is missing where an import inside needs what the light core does without."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"synthesis ({error.name})", "synthesis") from None


def synthesize(
    out: Annotated[Path, typer.Argument(help="Folder for clips, manifest and card.")],
    sources: _Sources = None,
    count: Annotated[int, typer.Option(min=1, help="Number of clips.")] = 1000,
    seed: Seed = 0,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    balance: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="0: faults as in FineVD; 1: all alike.")
    ] = 0.85,
    vmaf: Annotated[bool, typer.Option("--vmaf", help="Measure VMAF for the labels.")] = False,
    max_height: Annotated[int, typer.Option(min=64, help="Largest shorter side, pixels.")] = 2160,
    stills: Annotated[
        bool, typer.Option("--stills", help="Clips of three frames, no faults of time.")
    ] = False,
    copies: Annotated[
        int, typer.Option(min=0, help="Further degraded copies of each clip, counted as clips.")
    ] = 0,
    gray_share: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of clips shown without color first.")
    ] = 0.0,
    attribute: Annotated[
        list[str] | None,
        typer.Option(help="Each clip has a fault of one of these; may be repeated."),
    ] = None,
    parquet: Annotated[bool, typer.Option("--parquet", help="Write manifest.parquet too.")] = False,
    preview_file: Annotated[
        Path | None, typer.Option("--preview", help="Draw a contact sheet of the faults (PNG).")
    ] = None,
    mos_csv: _MosCsv = None,
    keep_share: _KeepShare = 0.5,
    rated_folds: _RatedFolds = None,
    exclude: _Exclude = None,
    scikit_image: _ScikitImage = True,
) -> None:
    """Make a data set of degraded clips with known labels; continues where it was stopped."""
    with _synthesis_extra():  # and start-up time: OpenCV and PyAV
        from finevq.datasets.fault_preview import write_preview
        from finevq.datasets.sources import find_sources
        from finevq.datasets.synthesis import SynthesisConfig
        from finevq.datasets.synthesis import synthesize as run
        from finevq.datasets.synthetic import write_parquet

    found = find_sources(
        sources or [],
        mos_csv=mos_csv,
        keep_share=keep_share,
        rated_folds=_folds(rated_folds),
        exclude=exclude or (),
        with_scikit_image=scikit_image,
    )
    config = SynthesisConfig(
        count=count,
        seed=seed,
        balance=balance,
        with_vmaf=vmaf,
        max_short_side=max_height,
        stills=stills,
        copies=copies,
        gray_share=gray_share,
        attributes=tuple(attribute or ()),
        workers=workers,
    )
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task(f"{len(found)} sources", total=count)
        manifest = run(out, found, config, lambda done, _: progress.update(task, completed=done))
    print(manifest)
    if parquet:
        print(write_parquet(manifest))
    if preview_file:
        print(write_preview(preview_file, found, seed=seed))


def _folds(text: str | None) -> set[int] | None:
    if text is None:
        return None
    try:
        return {int(part) for part in text.split(",")}
    except ValueError:
        raise typer.BadParameter(f"--rated-folds takes numbers as 2,3,4, not {text!r}") from None


def preview(
    out: Annotated[Path, typer.Argument(help="PNG file to write.")],
    folders: _Sources = None,
    seed: Seed = 0,
    variants: Annotated[int, typer.Option(min=1, help="Rows of each attribute.")] = 1,
    attribute: Annotated[
        list[str] | None, typer.Option(help="Only this attribute; may be repeated.")
    ] = None,
) -> None:
    """Draw each fault at rising severity, at native pixels, on one of the sources."""
    with _synthesis_extra():  # and start-up time: OpenCV and PyAV
        from finevq.datasets.fault_preview import write_preview
        from finevq.datasets.sources import find_sources

    found = find_sources(folders or [])
    print(write_preview(out, found, seed=seed, variants=variants, attributes=attribute or ()))


def fetch_wallpapers(
    folder: Annotated[
        Path | None, typer.Argument(help="Where to keep them; in the cache folder by default.")
    ] = None,
) -> None:
    """Fetch the free photographs of Debian's wallpaper packages (needs apt-get and dpkg)."""
    from finevq.datasets.wallpapers import fetch_wallpapers as fetch  # used by this command only
    from finevq.settings import load_settings

    settings = load_settings()
    target = folder or settings.cache_dir.expanduser() / "wallpapers"
    photos = fetch(target, offline=settings.offline)
    print(f"{target}: {len(photos)} photographs")


def draw(
    folder: Annotated[Path, typer.Argument(help="Where the pictures go.")],
    count: Annotated[int, typer.Option(min=1, help="Number of pictures.")] = 390,
    seed: Seed = 0,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
) -> None:
    """Draw flawless pictures to be degraded: cartoons, screens, motion graphics, renderings."""
    with _synthesis_extra():  # and start-up time: OpenCV
        from finevq.datasets.graphics.pictures import write_pictures

    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("drawing", total=count)
        paths = write_pictures(
            folder, count, seed, workers, lambda done: progress.update(task, completed=done)
        )
    print(f"{folder}: {len(paths)} pictures")


def sources(
    folders: Annotated[list[Path] | None, typer.Argument(help="Folders to search.")] = None,
    mos_csv: _MosCsv = None,
    keep_share: _KeepShare = 0.5,
    rated_folds: _RatedFolds = None,
    exclude: _Exclude = None,
    scikit_image: _ScikitImage = True,
) -> None:
    """List the sources that would be used, with their split."""
    with _synthesis_extra():  # and start-up time: OpenCV and PyAV
        from finevq.datasets.sources import find_sources

    found = find_sources(
        folders or [],
        mos_csv=mos_csv,
        keep_share=keep_share,
        rated_folds=_folds(rated_folds),
        exclude=exclude or (),
        with_scikit_image=scikit_image,
    )
    table = Table("source", "kind", "split", "quality", "rated")
    for source in found:
        rated = "yes" if source.is_rated else "no"
        table.add_row(source.name, source.kind, source.split, f"{source.quality:.2f}", rated)
    Console().print(table)
