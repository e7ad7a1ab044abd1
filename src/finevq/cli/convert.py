"""`finevq models convert`: an official checkpoint folder as ours."""

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console


def register_on(group: typer.Typer) -> None:
    """Add the command to the models group."""
    group.command("convert")(convert)


def convert(
    source: Annotated[
        str, typer.Argument(help="Official checkpoint: a folder, or a hub id (owner/name).")
    ],
    target: Annotated[Path, typer.Argument(help="Folder to write; must be new or empty.")],
    name: Annotated[str, typer.Option(help="Name in results; the source's name if empty.")] = "",
    lora: Annotated[
        Literal["merge", "keep"],
        typer.Option(help="Add LoRA to the weights it adapts, or keep it as a PEFT adapter."),
    ] = "merge",
    lora_weights: Annotated[
        Path | None,
        typer.Option(help="A lora_weights.pth that replaces the checkpoint's own adapters."),
    ] = None,
    compat: Annotated[
        Literal["none", "official"],
        typer.Option(help="official: read the score at the fourth position from the end, always."),
    ] = "none",
    revision: Annotated[str | None, typer.Option(help="Commit, tag or branch of a hub id.")] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Never use the network.")] = False,
) -> None:
    """Turn an official FineVQ checkpoint into safetensors, config.json and tokenizer.json.

    Every key is accounted for; weights stream by shard after shard, so memory stays small.
    """
    # Start-up time: torch.
    from finevq.inference import hub
    from finevq.inference.official_folder import convert_official

    progress = Console(stderr=True)
    folder = Path(source)
    if not folder.is_dir() and hub.looks_like_repository(source.partition("@")[0]):
        folder = hub.fetch(source, revision=revision, offline=offline)
        name = name or source.partition("@")[0].rpartition("/")[2]
    with progress.status(f"converting {source}"):
        done = convert_official(
            folder, target, name=name, adapters=lora, compat=compat, lora_weights=lora_weights
        )
    for note in done.notes:
        progress.print(f"[yellow]note:[/] {note}", highlight=False)
    print(done.report.summary())
    ranks = done.ranks
    if ranks.any:
        verb = "merged" if lora == "merge" else "kept in adapter/"
        print(f"LoRA of rank {ranks.image} (image) and {ranks.language} (language) {verb}")
    print(f"{target}: model {done.config.name}, {done.num_bytes / 1e9:.2f} GB of weights")
