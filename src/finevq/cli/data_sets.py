"""`finevq data describe`, `verify` and `release`: published data sets and their files."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from finevq.cli.options import AsJson, DataSetPath, Seed

_log = Console(stderr=True)

Name = Annotated[str, typer.Argument(help="finevd, konvid-1k, live-vqc, youtube-ugc, ... or csv.")]


def register_on(group: typer.Typer) -> None:
    """Add the commands to the `data` group."""
    group.command("describe")(describe_data_set)
    group.command("verify")(verify_data_set)
    group.command("release")(write_finevd_release)
    group.command("split")(split_data_set)


def describe_data_set(
    name: Name,
    path: DataSetPath,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the figures (PNG); none without it.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print, and draw, what a data set is like: MOS, correlations, attributes, containers."""
    from finevq.datasets.catalogue import adapter  # start-up time
    from finevq.datasets.describe import describe
    from finevq.datasets.drawing import draw

    labels = adapter(name).read(path)
    facts = describe(labels)
    if as_json:
        print(json.dumps(facts))
    else:
        _show_description(facts)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        for figure, png in draw(labels).items():
            file = out / f"{labels.name}-{figure}.png"
            file.write_bytes(png)
            _log.print(f"wrote {file}", markup=False)


def verify_data_set(
    name: Name,
    path: DataSetPath,
    videos: Annotated[
        Path | None, typer.Option(help="Folder of the videos, where it is another one.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check labels and files: counts, ids, MOS range, missing, unreadable and turned videos."""
    from finevq.datasets.catalogue import adapter  # start-up time
    from finevq.datasets.verify import to_json, verify
    from finevq.video.decode import probe_video

    root = videos or (path if path.is_dir() else path.parent)
    reader = adapter(name)
    labels = reader.read(path)
    with _log.status("checking files") as status:
        found = verify(
            labels,
            reader,
            root,
            probe=probe_video,
            progress=lambda done, total: status.update(f"file {done} of {total}"),
        )
    if as_json:
        print(json.dumps(to_json(found)))
    else:
        _show_verification(dict(to_json(found)))
    if not found.is_sound:
        raise typer.Exit(1)


def write_finevd_release(
    synthetic: Annotated[Path, typer.Argument(help="Folder of `finevq data synthesize`.")],
    out: Annotated[Path, typer.Argument(help="Empty folder for the release.")],
    seed: Seed = 0,
) -> None:
    """Write a synthesized data set in FineVD's release layout, with its question files."""
    from finevq.datasets.finevd_release import labels_of_synthetic, write_release  # start-up

    labels, paths = labels_of_synthetic(synthetic)
    write_release(labels, paths, out, seed=seed)
    print(f"{len(labels)} videos in {out}; evaluate with --data finevd={out}")


def split_data_set(
    name: Name,
    path: DataSetPath,
    out: Annotated[Path, typer.Argument(help="Split file to write (JSON).")],
    ratio: Annotated[str, typer.Option(help="train:test or train:val:test.")] = "4:1:1",
    seed: Seed = 0,
    repeat: Annotated[int, typer.Option(help="Number of the split in the seed's series.")] = 0,
) -> None:
    """Write a random split with its hash; videos of one source stay together."""
    from finevq.datasets.catalogue import adapter  # start-up time
    from finevq.datasets.splits import parse_ratio, random_split

    labels = adapter(name).read(path)
    split = random_split(labels, parse_ratio(ratio), seed=seed, repeat=repeat)
    split.save(out)
    sizes = ", ".join(f"{part} {len(names)}" for part, names in split.parts.items())
    print(f"{out}: {sizes}, hash {split.hash}")


def _show_description(facts: dict[str, Any]) -> None:
    console = Console()
    console.print(
        f"{facts['name']}: {facts['num_videos']} videos, MOS scale "
        f"{facts['scale'][0]:g} to {facts['scale'][1]:g}, labels {facts['fingerprint']}",
        highlight=False,
    )
    for key in ("splits", "flagged", "distorted", "most_impactful"):
        if facts[key]:
            words = ", ".join(
                f"{k} {v:.3g}" if v < 1 else f"{k} {v}" for k, v in facts[key].items()
            )
            console.print(f"{key.replace('_', ' ')}: {words}", highlight=False)
    table = Table("dimension", "mean", "SD", "min", "median", "max")
    for dimension, mos in facts["mos"].items():
        low, _, middle, _, high = mos["quantiles"]
        cells = (mos["mean"], mos["std"], low, middle, high)
        table.add_row(dimension, *(f"{cell:.2f}" for cell in cells))
    console.print(table)
    if facts["correlations"]:
        pairs = ", ".join(f"{pair} {value:.3f}" for pair, value in facts["correlations"].items())
        console.print(f"SRCC between dimensions: {pairs}", highlight=False)
    if facts["attributes"]:
        named = ", ".join(f"{name} {count}" for name, count in facts["attributes"].items())
        console.print(f"distortions named: {named}", highlight=False)
    for key, value in facts["facts"].items():
        console.print(f"{key.replace('_', ' ')}: {value}", highlight=False)


def _show_verification(found: dict[str, Any]) -> None:
    console = Console()
    console.print(f"{found['num_found']} of {found['num_labelled']} labelled videos have a file")
    for key in (
        "label_problems",
        "missing",
        "unlabelled",
        "unreadable",
        "mismatched",
        "rotated",
        "portrait",
    ):
        entries = found[key]
        if isinstance(entries, dict):
            entries = [f"{name}: {reason}" for name, reason in entries.items()]
        if entries:
            console.print(f"[bold]{key.replace('_', ' ')}[/] ({len(entries)})")
            for entry in entries:
                console.print(f"  {entry}", markup=False, highlight=False)
    console.print("sound" if found["is_sound"] else "not sound")
