"""Every exception that finevq raises on purpose.

The tree (each class carries the HTTP status that the service answers with)::

    FineVQError                     500
    ├── InvalidInputError           400   an argument, option or file that cannot be used
    │   ├── NoVideosFoundError      404   a path, glob or list that names no video
    │   ├── UnsupportedQuestionError 422  a question that the model was not trained to answer
    │   ├── ConfigError             400   an unknown or impossible setting
    │   └── DatasetError            422   labels or files of a data set that do not fit together
    ├── VideoError                  422
    │   ├── VideoDecodeError        422   no frame can be read, and why
    │   └── VideoLimitError         413   larger or longer than the settings allow
    ├── ModelError                  500
    │   ├── ModelNotFoundError      404   no such preset, folder or hub id
    │   └── CheckpointError         422   weights that do not fit the architecture
    ├── TrainingError               500   a run that cannot go on (NaN loss, no samples)
    ├── StudyError                  400   a study that is inconsistent or a request that it forbids
    └── MissingExtraError           501   an optional dependency is not installed

Messages say what was given, what is allowed and what to do next.
"""

from typing import ClassVar


class FineVQError(Exception):
    """Base of all errors that a caller can act on."""

    http_status: ClassVar[int] = 500


class InvalidInputError(FineVQError):
    """An argument, option or file that cannot be used."""

    http_status = 400


class NoVideosFoundError(InvalidInputError):
    """A path, glob or list names no video."""

    http_status = 404


class UnsupportedQuestionError(InvalidInputError):
    """The model was not trained to answer this question."""

    http_status = 422


class ConfigError(InvalidInputError):
    """A setting is unknown or impossible."""


class DatasetError(InvalidInputError):
    """Labels or files of a data set do not fit together."""

    http_status = 422


class VideoError(FineVQError):
    """A video cannot be assessed."""

    http_status = 422


class VideoDecodeError(VideoError):
    """No frame of the file can be read."""


class VideoLimitError(VideoError):
    """The video is larger, longer or slower than the settings allow."""

    http_status = 413


class ModelError(FineVQError):
    """A model cannot be loaded or run."""


class ModelNotFoundError(ModelError):
    """No preset, folder or hub repository of that name."""

    http_status = 404


class CheckpointError(ModelError):
    """Weights do not fit the architecture that should load them."""

    http_status = 422


class TrainingError(FineVQError):
    """A training run cannot go on."""


class StudyError(FineVQError):
    """A study is inconsistent, or a request is against its rules."""

    http_status = 400


class MissingExtraError(FineVQError):
    """An optional dependency is not installed.

    Args:
        feature: What the user asked for, in words.
        extra: Name of the extra that brings the dependency.
    """

    http_status = 501

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(
            f"{feature} needs packages that the light core does without: "
            f"pip install 'finevq[{extra}]'"
        )
