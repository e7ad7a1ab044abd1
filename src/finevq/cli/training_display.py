"""How a training run shows itself: a plan before it, a progress line while it goes on."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from finevq.cli.console import message_console, results_console
from finevq.training.checkpoints import Progress as RunProgress
from finevq.training.journal import StepFacts
from finevq.training.plan import Plan
from finevq.training.stages import StageConfig

_GIGABYTE = 1e9


def show_plan(config: StageConfig, plan: Plan) -> None:
    """Print a configuration and what it would do."""
    console = results_console()
    console.print_json(json.dumps(asdict(config), default=str))
    parts = Table(title="what learns", title_justify="left")
    parts.add_column("part")
    for name in ("learning", "all parameters", "share"):
        parts.add_column(name, justify="right")
    totals = [sum(values) for values in zip(*plan.parameters.values(), strict=True)]
    for name, (learning, everything) in [*plan.parameters.items(), ("all", tuple(totals))]:
        share = learning / everything if everything else 0.0
        parts.add_row(name, f"{learning:,}", f"{everything:,}", f"{share:.2%}")
    console.print(parts)
    steps = Table(title="how long", title_justify="left", show_header=False)
    steps.add_row("training items", f"{plan.num_train:,}")
    steps.add_row("validation items", f"{plan.num_validation:,}")
    steps.add_row("steps an epoch", f"{plan.steps_per_epoch:,}")
    steps.add_row("steps", f"{plan.num_steps:,}")
    steps.add_row("validations", f"{plan.num_validations:,}")
    console.print(steps)
    memory = Table(
        title="memory of one process, estimated", title_justify="left", show_header=False
    )
    memory.add_row("weights", _gigabytes(plan.weight_bytes))
    memory.add_row("gradients and optimizer", _gigabytes(plan.learning_bytes))
    memory.add_row("activations", _gigabytes(plan.activation_bytes))
    memory.add_row("together", _gigabytes(plan.total_bytes))
    console.print(memory)


def _gigabytes(count: int) -> str:
    return f"{count / _GIGABYTE:.2f} GB"


class ProgressDisplay:
    """A progress line on stderr, and a line of its own for each validation.

    Where stderr is no terminal, steps are told about now and then instead.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or message_console()
        self._bar = Progress(
            TextColumn("step"),
            MofNCompleteColumn(),
            BarColumn(),
            TextColumn("{task.description}"),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task("", total=None)
        self._validation = ""
        self._told = 0.0

    def __enter__(self) -> "ProgressDisplay":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def on_floors(self, numbers: Mapping[str, float]) -> None:
        """Print what constant answers reach."""
        if numbers:
            shown = ", ".join(_number(name, value) for name, value in numbers.items())
            self._console.print(f"a constant answer reaches on validation: {shown}")

    def on_start(self, progress: RunProgress, num_steps: int) -> None:
        """Set the line up."""
        self._bar.update(self._task, total=num_steps, completed=progress.step)
        if progress.step:
            self._console.print(f"going on after step {progress.step} of {num_steps}")

    def on_step(self, facts: StepFacts, num_steps: int) -> None:
        """Move the line."""
        text = f"loss {facts.loss:.4f}  lr {facts.learning_rate:.2e}  {self._validation}"
        self._bar.update(self._task, completed=facts.step, description=text)
        share = facts.step / num_steps
        if not self._console.is_terminal and (share - self._told >= 0.05 or facts.step == 1):
            self._told = share
            self._console.print(f"step {facts.step}/{num_steps}  {text.strip()}")

    def on_validation(self, step: int, numbers: Mapping[str, float], *, is_best: bool) -> None:
        """Print the numbers of a validation."""
        known = {name: value for name, value in numbers.items() if value == value}
        self._validation = "  ".join(
            f"{name} {known[name]:.3f}" for name in ("srcc", "accuracy") if name in known
        )
        shown = ", ".join(_number(name, value) for name, value in known.items())
        self._console.print(f"validation after step {step}: {shown}{'  (best)' if is_best else ''}")


def _number(name: str, value: Any) -> str:  # noqa: ANN401  # float or whole
    return f"{name} {int(value)}" if name == "skipped" else f"{name} {value:.4f}"
