"""Values that no run can have, told before anything is read or written."""

from collections.abc import Iterator

from finevq.errors import ConfigError
from finevq.training.stages import StageConfig


def check_values(config: StageConfig) -> None:
    """Make sure that every number of a stage makes sense by itself.

    Raises:
        ConfigError: one does not; names it, its value and what is allowed.
    """
    for name, value, is_right, allowed in _rules(config):
        if not is_right:
            raise ConfigError(f"{name} = {value}: give {allowed}")


def _rules(config: StageConfig) -> Iterator[tuple[str, float, bool, str]]:
    """Yield name, value, whether it is right, and what would be."""
    for part, names in _POSITIVE.items():
        for name in names:
            value = getattr(getattr(config, part), name)
            yield f"{part}.{name}", value, value > 0, "more than 0"
    for part, names in _NOT_NEGATIVE.items():
        for name in names:
            value = getattr(getattr(config, part), name)
            yield f"{part}.{name}", value, value >= 0, "0 or more"
    for part, names in _SHARES.items():
        for name in names:
            value = getattr(getattr(config, part), name)
            yield f"{part}.{name}", value, 0 <= value < 1, "a share, 0 or more and below 1"


_POSITIVE = {
    "steps": ("epochs", "batch_size"),
    "losses": ("huber_delta", "rank_temperature"),
    "lora": ("alpha_per_rank",),
    "optimizer": ("epsilon", "max_gradient_norm"),
}
_NOT_NEGATIVE = {
    "data": ("max_train", "max_validation", "cache_bytes", "workers"),
    "lora": ("image_rank", "language_rank"),
    "losses": ("token_weight", "score_weight", "rank_weight"),
    "optimizer": ("learning_rate", "final_learning_rate", "weight_decay"),
    "steps": ("micro_batch_size",),
    "validation": ("every_steps", "save_every_steps"),
}
_SHARES = {
    "inputs": ("image_drop_path",),
    "lora": ("dropout",),
    "optimizer": ("warmup_share", "beta1", "beta2"),
}
