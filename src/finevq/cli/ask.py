"""`finevq ask`: one question about one video."""

import json as json_format
from dataclasses import asdict
from typing import Annotated

import typer

from finevq.cli.models import DeviceOption, DtypeOption, QuantizationOption, load_model


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(ask)


def ask(
    path: Annotated[str, typer.Argument(metavar="PATH", help="A video or picture.")],
    question: Annotated[
        str, typer.Argument(metavar="QUESTION", help="In English, in quotation marks.")
    ],
    model: Annotated[
        str, typer.Option(help="A preset (see `finevq models`), a model's folder or a hub id.")
    ] = "nano",
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    max_tokens: Annotated[
        int, typer.Option(min=1, help="Longest answer in the model's own words.")
    ] = 256,
    device: DeviceOption = None,
    dtype: DtypeOption = None,
    quantization: QuantizationOption = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Never use the network, whatever the model.")
    ] = False,
) -> None:
    """Ask the model a question about a video.

    Example: finevq ask clip.mp4 "Which distortion has the most impact on the quality of this
    video?"
    """
    from finevq.inference.inputs import find_one_video  # start-up time

    video = find_one_video(path)
    session = load_model(
        model, offline=offline, device=device, dtype=dtype, quantization=quantization
    )
    answer = session.ask(video, question, max_tokens=max_tokens)
    if json:
        values = {
            "video": video,
            "model": asdict(session.identity),
            "question": question,
            "answer": str(answer),
        }
        print(json_format.dumps(values))
    else:
        print(answer)
