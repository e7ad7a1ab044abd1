"""The one loop: every stage, on one process or many, on a laptop or on GPUs.

A step's loss is a sum over all its items divided by their number, whatever way the step is cut into
passes and processes; so neither changes what is learnt, up to rounding. All that a later step
depends on is in the checkpoint.
"""

import logging
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from finevq.errors import TrainingError
from finevq.prompts.prompter import Prompter
from finevq.training import checkpoints, losses
from finevq.training.checkpoints import Checkpoint, Progress
from finevq.training.dataset import InstructionBatch, InstructionDataset, OnceRead, make_loader
from finevq.training.distributed import Processes, clip_gradients, full, like
from finevq.training.journal import Journal, StepFacts
from finevq.training.network import Answers, TrainingNetwork, to_device
from finevq.training.optimizing import make_optimizer, owned_state, restore_state
from finevq.training.parts import set_modes, trainable_parameters
from finevq.training.passes import Pass, PassMaker, names_not_finite, outcomes_of
from finevq.training.rows import Rows
from finevq.training.stages import StageConfig
from finevq.training.stepping import ShareSampler, StepSampler, learning_rate_at, steps_of_epoch
from finevq.training.validation import Outcome, check_complete, measure, selection_value

_log = logging.getLogger(__name__)
_BAD_SHOWN = 5


class Listener(Protocol):
    """Shows how a run goes on."""

    def on_floors(self, numbers: Mapping[str, float]) -> None:
        """Told before a run begins: what constant answers reach on its validation records."""

    def on_start(self, progress: Progress, num_steps: int) -> None:
        """A run begins, or goes on."""

    def on_step(self, facts: StepFacts, num_steps: int) -> None:
        """A step is done."""

    def on_validation(self, step: int, numbers: Mapping[str, float], *, is_best: bool) -> None:
        """A validation is done."""


class Silent:
    """A listener that shows nothing."""

    def on_floors(self, numbers: Mapping[str, float]) -> None:
        """Do nothing."""

    def on_start(self, progress: Progress, num_steps: int) -> None:
        """Do nothing."""

    def on_step(self, facts: StepFacts, num_steps: int) -> None:
        """Do nothing."""

    def on_validation(self, step: int, numbers: Mapping[str, float], *, is_best: bool) -> None:
        """Do nothing."""


@dataclass(slots=True)
class _Sums:
    """What a step adds up, over its passes and then over the processes."""

    token_loss: float = 0.0
    score_loss: float = 0.0
    rank_loss: float = 0.0
    bad: list[str] = field(default_factory=list)
    """Records whose loss is not a number."""


class Trainer:
    """Trains one model through one stage.

    Args:
        network: The model ready for its stage, on the CPU.
        prompter: Its template.
        config: The stage.
        train: What is learnt from.
        validation: What selects the best weights; the same in each process.
        processes: This process among its fellows.
        output: Folder of the run; exists.
        listener: Shows how the run goes on; asked in the first process alone.
    """

    def __init__(
        self,
        network: TrainingNetwork,
        prompter: Prompter,
        config: StageConfig,
        *,
        train: InstructionDataset,
        validation: InstructionDataset,
        processes: Processes,
        output: Path,
        listener: Listener | None = None,
    ) -> None:
        self._config = config
        self._processes = processes
        self._output = output
        self._listener = listener if listener is not None and processes.is_first else Silent()
        self._passes = PassMaker(
            network.model.config, prompter, learns_opening=config.losses.learns_opening
        )
        self._network = network
        self._wrapped = processes.wrap(network)
        self._trained = trainable_parameters(network.model)
        self._names = {parameter: name for name, parameter in self._trained.items()}
        self._optimizer = make_optimizer(list(self._trained.values()), config.optimizer)
        self._progress = Progress()
        self._validation_set = validation
        steps = config.steps
        self._sampler = StepSampler(
            num_items=len(train),
            batch_size=steps.batch_size,
            micro_batch_size=steps.micro_batch_size,
            seed=steps.seed,
            rank=processes.rank,
            num_processes=processes.count,
        )
        share = ShareSampler(
            num_items=len(validation),
            size=steps.micro_batch_size or steps.batch_size,
            rank=processes.rank,
            num_processes=processes.count,
        )
        # Made once: their workers live as long as the run.
        self._train_loader = self._loader(train, self._sampler)
        self._validation_loader = self._loader(validation, share)
        self._num_steps = steps.epochs * len(
            steps_of_epoch(len(train), steps.batch_size, seed=0, epoch=0)
        )

    @property
    def progress(self) -> Progress:
        """Where the run stands."""
        return self._progress

    def resume(self) -> None:
        """Go on from the last checkpoint.

        Raises:
            TrainingError: there is none, or it is not of this run.
        """
        saved = checkpoints.load_last(self._output)
        if set(saved.trained) != set(self._trained):
            raise TrainingError(
                f"{self._output / checkpoints.LAST_FILE} holds other parameters than this stage "
                "trains; go on with the configuration that it was made with"
            )
        with torch.no_grad():
            for name, parameter in self._trained.items():
                parameter.copy_(like(saved.trained[name], parameter))
        restore_state(self._optimizer, self._names, saved.optimizer)
        self._progress = saved.progress
        if self._processes.rank < len(saved.random):
            checkpoints.restore_random_state(saved.random[self._processes.rank])
        if len(saved.random) != self._processes.count:
            _log.warning(
                "the run was made by %d processes and goes on with %d: dropout will differ",
                len(saved.random),
                self._processes.count,
            )

    def run(self) -> Progress:
        """Train to the end.

        Raises:
            TrainingError: a loss or gradient is not a number; names the samples.
        """
        steps, progress = self._config.steps, self._progress
        journal = (
            Journal(self._output, after_step=progress.step) if self._processes.is_first else None
        )
        self._listener.on_start(progress, self._num_steps)
        try:
            if progress.step == 0 and self._config.validation.judges_start:
                self._judge(journal)
            while progress.epoch < steps.epochs:
                self._sampler.epoch = progress.epoch
                self._sampler.first_step = progress.step_of_epoch
                self._run_epoch(journal)
        finally:
            if journal is not None:
                journal.close()
                self._passes.skipped.write(self._output / "skipped.jsonl")
        return progress

    def validate(self) -> dict[str, float]:
        """Judge the present weights on the validation records."""
        outcomes: list[Outcome] = []
        skipped: list[str] = []
        self._network.eval()
        with torch.no_grad():
            for batch in self._batches(self._validation_loader):
                skipped += [name for video in batch.skipped for name in video.record_ids]
                turn = self._passes.make(batch)
                answers = self._answer(turn)
                if turn.counts:
                    outcomes += outcomes_of(turn, answers)
        outcomes, skipped = self._processes.gather(outcomes), self._processes.gather(skipped)
        expected = [record.id for records in self._validation_set.items for record in records]
        check_complete(outcomes, skipped, expected)
        return {**measure(outcomes), "skipped": float(len(skipped))}

    def _run_epoch(self, journal: Journal | None) -> None:
        progress, validation = self._progress, self._config.validation
        batches = self._batches(self._train_loader)
        left = self._sampler.steps()
        for number, passes in enumerate(left, start=1):
            facts = self._step(batches, len(passes))
            is_epoch_end = number == len(left)
            progress.step += 1
            progress.step_of_epoch = 0 if is_epoch_end else progress.step_of_epoch + 1
            progress.epoch += is_epoch_end
            if journal is not None:
                journal.add_step(facts)
            self._listener.on_step(facts, self._num_steps)
            is_last = progress.step == self._num_steps
            due = (
                progress.step % validation.every_steps == 0
                if validation.every_steps
                else is_epoch_end
            )
            if due or is_last:
                self._judge(journal)
            every = validation.save_every_steps
            if due or is_last or (every and progress.step % every == 0):
                self._save()
        for _ in batches:  # workers end their epoch
            raise AssertionError("more passes than steps")

    def _judge(self, journal: Journal | None) -> None:
        progress = self._progress
        numbers = self.validate()
        value = selection_value(numbers, self._config.validation.select_by)
        is_best = progress.best_value is None or value > progress.best_value
        progress.history.append({"step": float(progress.step), **numbers})
        if is_best:
            progress.best_value, progress.best_step = value, progress.step
            trained = {name: full(value) for name, value in self._trained.items()}
            if self._processes.is_first:
                checkpoints.save_best(self._output, trained, progress)
        if journal is not None:
            journal.add_validation(progress.step, numbers)
        self._listener.on_validation(progress.step, numbers, is_best=is_best)

    def _save(self) -> None:
        checkpoint = Checkpoint(
            progress=self._progress,
            trained={name: full(value) for name, value in self._trained.items()},
            optimizer=owned_state(self._optimizer, self._names),
            random=self._processes.gather([checkpoints.random_state()]),
        )
        if self._processes.is_first:
            checkpoints.save_last(self._output, checkpoint)
        self._processes.wait()

    def _step(self, batches: Iterator[InstructionBatch], num_passes: int) -> StepFacts:
        """Do one optimizer step."""
        began = time.perf_counter()
        passes = [self._passes.make(next(batches)) for _ in range(num_passes)]
        waited = time.perf_counter() - began
        counted = [turn for turn in passes if turn.counts]
        num_tokens, num_scores, num_items = self._processes.sum(
            [
                sum(len(turn.rows.targets) for turn in counted),
                sum(len(turn.rows.scores) for turn in counted),
                sum(len(turn.batch) for turn in counted),
            ]
        )
        set_modes(self._network.model, self._config)
        sums = _Sums()
        for number, turn in enumerate(passes, start=1):
            last = number == num_passes
            if last:
                loss = self._loss(turn, num_tokens, num_scores, num_passes, sums)
                loss.backward()
            else:
                with self._processes.without_exchange(self._wrapped):
                    loss = self._loss(turn, num_tokens, num_scores, num_passes, sums)
                    loss.backward()
        token_sum, score_sum, num_bad = self._processes.sum(
            [sums.token_loss, sums.score_loss, len(sums.bad)]
        )
        names = [record.id for turn in counted for record in turn.rows.records]
        self._stop_if(num_bad > 0, "loss", sums.bad)
        rate = self._set_rate()
        norm = clip_gradients(self._trained.values(), self._config.optimizer.max_gradient_norm)
        self._stop_if(not math.isfinite(norm), "gradient", names)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        token_loss = token_sum / num_tokens if num_tokens else math.nan
        score_loss = score_sum / num_scores if num_scores else math.nan
        weights = self._config.losses
        return StepFacts(
            step=self._progress.step + 1,
            epoch=self._progress.epoch + 1,
            loss=_weighted(weights.token_weight, token_loss)
            + _weighted(weights.score_weight, score_loss)
            + weights.rank_weight * sums.rank_loss,
            token_loss=token_loss,
            score_loss=score_loss,
            rank_loss=sums.rank_loss if weights.rank_weight else math.nan,
            learning_rate=rate,
            gradient_norm=norm,
            items=int(num_items),
            seconds=time.perf_counter() - began,
            waiting_seconds=waited,
        )

    def _loss(
        self, turn: Pass, num_tokens: float, num_scores: float, num_passes: int, sums: _Sums
    ) -> Tensor:
        """Return this pass's part of the step's loss, times the number of processes.

        Wrappers average gradients over the processes, where the parts are to be added up.
        """
        weights = self._config.losses
        answers = self._answer(turn)
        errors = losses.score_errors(
            answers.scores,
            turn.rows.scores,
            kind=weights.score_kind,
            delta=weights.huber_delta,
        )
        if not turn.counts:
            nothing = answers.token_losses.sum() + errors.sum()
            if weights.rank_weight:
                self._ranks(answers.scores[:0], turn.rows, num_passes, sums)
            return nothing * 0.0
        token_sum, score_sum = answers.token_losses.sum(), errors.sum()
        sums.token_loss += token_sum.item()
        sums.score_loss += score_sum.item()
        sums.bad += names_not_finite(turn.rows, answers.token_losses, errors)
        loss = weights.token_weight * token_sum / max(num_tokens, 1.0)
        loss = loss + weights.score_weight * score_sum / max(num_scores, 1.0)
        if weights.rank_weight:
            loss = loss + weights.rank_weight * self._ranks(
                answers.scores, turn.rows, num_passes, sums
            )
        return loss * self._processes.count

    def _ranks(self, scores: Tensor, rows: Rows, num_passes: int, sums: _Sums) -> Tensor:
        """Compare all scores that the processes read in one pass.

        Others' scores come as plain numbers: each process learns from its own, and together the
        gradients are those of one process that read all.
        """
        own = list(
            zip(
                scores.detach().tolist(),
                rows.scores.tolist() if len(scores) else [],
                rows.score_dimensions if len(scores) else (),
                strict=True,
            )
        )
        everyone = self._processes.gather([own])
        predicted, targets, groups = [], [], []
        for rank, part in enumerate(everyone):
            is_own = rank == self._processes.rank
            values = scores if is_own else scores.new_tensor([entry[0] for entry in part])
            predicted.append(values)
            targets += [entry[1] for entry in part]
            groups += [entry[2] for entry in part]
        loss = losses.rank_loss(
            torch.cat(predicted),
            scores.new_tensor(targets),
            groups,
            temperature=self._config.losses.rank_temperature,
        )
        sums.rank_loss += loss.item() / num_passes
        return loss / num_passes

    def _answer(self, turn: Pass) -> Answers:
        device = self._processes.device
        with torch.autocast(
            device.type, torch.bfloat16, enabled=self._config.steps.precision == "bf16"
        ):
            answers: Answers = self._wrapped(turn.batch, to_device(turn.rows, device))
        return answers

    def _loader(
        self, dataset: InstructionDataset, sampler: StepSampler | ShareSampler
    ) -> DataLoader[InstructionBatch]:
        return make_loader(
            dataset,
            batch_size=1,
            workers=self._config.data.workers,
            batch_sampler=OnceRead(
                sampler, lambda place: self._network.knows(dataset.items[place][0].video)
            ),
            pin_memory=self._processes.device.type == "cuda",
        )

    def _batches(self, loader: DataLoader[InstructionBatch]) -> Iterator[InstructionBatch]:
        # A loader draws a seed for its workers; training's own random numbers must not move by it.
        with torch.random.fork_rng(devices=[]):
            batches = iter(loader)
        yield from batches

    def _set_rate(self) -> float:
        optimizer = self._config.optimizer
        rate = learning_rate_at(
            self._progress.step,
            self._num_steps,
            peak=optimizer.learning_rate,
            final=optimizer.final_learning_rate,
            warmup_share=optimizer.warmup_share,
        )
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        return rate

    def _stop_if(self, is_bad: bool, what: str, names: Sequence[str]) -> None:
        """Stop all processes before the weights are touched."""
        if not is_bad:
            return
        known = sorted(set(self._processes.gather(list(names))))
        more = f" and {len(known) - _BAD_SHOWN} more" if len(known) > _BAD_SHOWN else ""
        raise TrainingError(
            f"the {what} is not a finite number in step {self._progress.step + 1}, at "
            f"{', '.join(known[:_BAD_SHOWN])}{more}; the last checkpoint is from before. Look at "
            "the sample's video and label, lower optimizer.learning_rate, or use precision fp32"
        )


def _weighted(weight: float, loss: float) -> float:
    return weight * loss if weight and not math.isnan(loss) else 0.0
