"""How much memory loading a checkpoint takes, beside the weights themselves.

    python benchmarks/load_memory.py MANIFEST_OFFICIAL_FULL.json MANIFEST_SLOWFAST.json FOLDER
        [--model infer_lora8] [--llm-layers 2] [--vision-layers 2]

Writes an official checkpoint in bfloat16 to FOLDER: the real 8B's names and shapes, fewer layers,
in shards. Loads it in a process of its own and prints the peak of resident memory, then deletes it.
"""

import argparse
import json
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import torch
from safetensors.torch import save_file

SHARD_BYTES = 10**9


def shapes_of(
    official: dict[str, Any], slowfast: list[Any], num_llm: int, num_vision: int
) -> dict[str, tuple[int, ...]]:
    """Expand the manifest with fewer layers."""
    shapes = {}
    for key, shape, *span in official["keys_without_slowfast"]:
        count = num_vision if key.startswith("vision_model") else num_llm
        for number in range(min(span[0][1] + 1, count)) if span else [None]:
            shapes[key if number is None else key.format(number)] = tuple(shape)
    for key, shape, _ in slowfast:
        shapes[f"slowfast_model.{key}"] = tuple(shape)
    return shapes


def write_checkpoint(folder: Path, shapes: dict[str, tuple[int, ...]]) -> int:
    """Write shards of finite values and return their bytes."""
    folder.mkdir(parents=True)
    shards: list[list[str]] = [[]]
    size = total = 0
    for name, shape in shapes.items():
        num_bytes = 2 * int(torch.tensor(shape).prod()) if shape else 8
        if size + num_bytes > SHARD_BYTES and shards[-1]:
            shards.append([])
            size = 0
        shards[-1].append(name)
        size += num_bytes
        total += num_bytes
    weight_map = {}
    for number, names in enumerate(shards, start=1):
        path = f"model-{number:05}-of-{len(shards):05}.safetensors"
        tensors = {
            name: torch.zeros((), dtype=torch.long)
            if name.endswith("num_batches_tracked")
            else torch.full(shapes[name], 0.01, dtype=torch.bfloat16)
            for name in names
        }
        save_file(tensors, str(folder / path))
        weight_map.update(dict.fromkeys(names, path))
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    return total


def load(folder: Path, num_llm: int, num_vision: int) -> None:
    """Load the checkpoint and print what it took; runs in a process of its own."""
    from dataclasses import replace

    from finevq.model.checkpoint import open_weights
    from finevq.model.loading import build_empty, fill_model
    from finevq.model.official_import import OfficialCheckpoint
    from finevq.model.presets import internvl2_8b

    config = internvl2_8b()
    llama = {**config.language_model.llama, "num_hidden_layers": num_llm}
    vision = {**config.image_encoder.vision, "num_hidden_layers": num_vision}
    config = replace(
        config,
        language_model=replace(config.language_model, llama=llama),
        image_encoder=replace(config.image_encoder, vision=vision),
    )
    checkpoint = OfficialCheckpoint(open_weights(folder), config)
    checkpoint.check()
    before = psutil.Process().memory_info().rss
    started = time.perf_counter()
    model = fill_model(build_empty(config), checkpoint.tensors(merge=True), dtype=torch.bfloat16)
    seconds = time.perf_counter() - started
    weights = sum(value.numel() * value.element_size() for value in model.state_dict().values())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(
        f"weights {weights / 1e9:.3f} GB; process before loading {before / 1e9:.3f} GB, "
        f"at its peak {peak / 1e9:.3f} GB; loading took {(peak - before) / weights:.3f} x the "
        f"weights in {seconds:.1f} s"
    )


def main() -> None:
    """Write, load in another process, delete."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("manifest", type=Path)
    parser.add_argument("slowfast", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="infer_lora8")
    parser.add_argument("--llm-layers", type=int, default=2)
    parser.add_argument("--vision-layers", type=int, default=2)
    parser.add_argument("--load-only", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.load_only:
        load(options.folder, options.llm_layers, options.vision_layers)
        return
    official = json.loads(options.manifest.read_text())["models"][options.model]
    slowfast = json.loads(options.slowfast.read_text())
    shapes = shapes_of(official, slowfast, options.llm_layers, options.vision_layers)
    try:
        total = write_checkpoint(options.folder, shapes)
        print(f"{options.model}: {len(shapes)} keys, {total / 1e9:.2f} GB on disk")
        subprocess.run([sys.executable, *sys.argv, "--load-only"], check=True)
    finally:
        shutil.rmtree(options.folder, ignore_errors=True)


if __name__ == "__main__":
    main()
