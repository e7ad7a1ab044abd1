"""Data facts of the goldens: which frames are read, how a picture is prepared, what is written."""

# Part of a script that prints.
# ruff: noqa: T201

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from finevq.model.motion_encoder import slow_positions
from finevq.prompts import internlm2
from finevq.video.pil_resize import pil_bicubic_resize
from finevq.video.sampling import official_motion_indices, uniform_indices
from finevq.video.transforms import normalize
from finevq.vocabulary import DIMENSIONS, Dimension

if TYPE_CHECKING:
    from parity import Report

_TIME_RATIO = 4
_SIDE = 448


def run_data(golden: Any, report: "Report") -> None:
    """Compare frame indices, pictures and prompts."""
    for count, recorded in golden["frame_indices_by_frame_count"].items():
        _check_indices(f"{count} frames", int(count), recorded, report)
    for name, recorded in golden["preprocess"].items():
        _check_picture(name, recorded, report)
    _check_prompts(golden["prompts"], report)


def _check_indices(name: str, num_frames: int, recorded: Any, report: "Report") -> None:
    report.integers(name, "sparse frames", uniform_indices(num_frames, 8), recorded["eight"])
    motion = official_motion_indices(num_frames)
    slow = slow_positions(len(motion), _TIME_RATIO).numpy()
    _check_sequence(name, "motion frames", motion, recorded["motion"], report)
    _check_sequence(name, "slow frames", slow, recorded["slow_positions"], report)
    counts = [len(motion), motion.max(), _TIME_RATIO * len(slow)]
    wanted = [recorded["motion_count"], recorded["motion_max"], recorded["fast_count"]]
    report.integers(name, "motion, largest, fast counts", counts, wanted)


def _check_sequence(
    name: str, quantity: str, found: NDArray[Any], recorded: Any, report: "Report"
) -> None:
    if isinstance(recorded, list):
        report.integers(name, quantity, found, recorded)
        return
    facts = {"n": len(found), "sum": int(found.sum())}
    for key, value in recorded.items():
        if key.startswith("first"):
            facts[key] = found[: len(value)].tolist()
        elif key.startswith("last"):
            facts[key] = found[-len(value) :].tolist()
        elif key == "positions_equal_to_previous":
            facts[key] = (np.flatnonzero(np.diff(found) == 0) + 1).tolist()
    report.add(name, quantity, float(facts != recorded), exact=True)


def picture(name: str) -> NDArray[np.uint8]:
    """Draw the picture that a golden names: kind_HxW."""
    kind, _, size = name.rpartition("_")
    height, width = map(int, size.split("x"))
    y, x, c = np.ogrid[:height, :width, :3]
    if kind == "formula":
        return np.asarray((x * (c + 1) * 3 + y * (5 - c) + (x * y) // (7 + c)) % 256, np.uint8)
    raise KeyError(kind)


def _check_picture(name: str, recorded: Any, report: "Report") -> None:
    try:
        image = picture(name)
    except KeyError:
        print(f"  {name}: the goldens do not say how this picture is drawn; left out")
        return
    resized = pil_bicubic_resize(image, _SIDE)
    report.digest(name, "uint8 after resize", resized, recorded["uint8_after_resize"])
    report.digest(name, "tensor", normalize(resized), recorded["tensor"])


def _check_prompts(prompts: Any, report: "Report") -> None:
    for dimension in DIMENSIONS:
        recorded = prompts[f"inference_{dimension}"]
        overall = dimension is Dimension.OVERALL
        text = (
            f"{_prefix(has_motion=True)}{'' if overall else internlm2.VIDEO + ' '}"
            f"{internlm2.rating_question(dimension)}{_ASSISTANT}"
            f"{internlm2.rating_stem(dimension)} {'excellent' if overall else 'good'}."
            f"{internlm2.MESSAGE_END}"
        )
        report.add(f"prompt {dimension}", "text", float(text != recorded["text"]), exact=True)
    question = internlm2.yes_no_question("blur")
    text = f"{_prefix(has_motion=False)}\nMotion Feature: <image>{question}{_ASSISTANT}Yes"
    recorded = prompts["qa_train_yesno"]["text"]
    report.add("prompt yes/no", "text", float(text + internlm2.MESSAGE_END != recorded), exact=True)


_ASSISTANT = f"{internlm2.MESSAGE_END}{internlm2.MESSAGE_START}assistant\n"


def _prefix(*, has_motion: bool) -> str:
    """Return the prefix with its places abbreviated as the goldens do."""
    context = internlm2.CONTEXT
    text = internlm2.video_prefix(8, 256, has_motion=has_motion)
    return text.replace(context * 256, f"{context}*256").replace(
        f"<img>{context}</img>", f"<img>{context}*1</img>"
    )
