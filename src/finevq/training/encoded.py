"""What the frozen encoders say of many samples, and how training shows it with gaps."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from finevq.model.finevq import FineVQ
from finevq.model.projectors import Standardization
from finevq.training.samples import TrainingSample


@dataclass(frozen=True, slots=True)
class EncodedSet:
    """Samples with the features of the frozen encoders, row by row."""

    samples: Sequence[TrainingSample]
    views: Tensor
    """(N, variants, views, F, features) float16; variants: as it is, and mirrored where known."""
    motion: Tensor
    """(N, variants, M, features) float32."""
    num_drawn: int = 0
    """So many samples at the end, stills shown as clips above all, are drawn from in an epoch; all
    before them take part in each."""

    def __len__(self) -> int:
        return len(self.samples)

    def followed_by(self, more: "EncodedSet") -> "EncodedSet":
        """Return these samples, and behind them more that are drawn from.

        Args:
            more: In as many variants as these.
        """
        return EncodedSet(
            [*self.samples, *more.samples],
            torch.cat([self.views, more.views]),
            torch.cat([self.motion, more.motion]),
            num_drawn=self.num_drawn + len(more),
        )

    def part(self, rows: Sequence[int]) -> "EncodedSet":
        """Return some samples, as clips all of them."""
        chosen = list(rows)
        samples = [self.samples[row] for row in chosen]
        return EncodedSet(samples, self.views[chosen], self.motion[chosen])

    def take(self, rows: Sequence[int], variants: Sequence[int]) -> tuple[list[Tensor], Tensor]:
        """Return the features of some rows as `FineVQ.project` takes them."""
        views = self.views[list(rows), list(variants)].float()  # (B, views, F, features)
        image_features = [view.unsqueeze(2) for view in views.unbind(1)]
        return image_features, self.motion[list(rows), list(variants)]


def corrupted(
    model: FineVQ, images: Sequence[Tensor], motion: Tensor, *, feature_dropout: float
) -> tuple[list[Tensor], Tensor]:
    """Hide some features of each sample, the same ones in all its frames or bursts.

    What is hidden is shown as its mean over the training data. Nothing else is neutral: many
    features are never near zero.

    Args:
        model: Its projectors know the means.
        images: For each view (B, F, tokens, features).
        motion: (B, M, features).
        feature_dropout: Share that is hidden; a third of it of the statistics of colour.
    """
    of_views = list(model.image_projectors)[: len(images)]
    of_colors = standardization_of(model.color_projector).mean.chunk(len(images))
    hidden = []
    for view, projector, colors in zip(images, of_views, of_colors, strict=True):
        # Of a few hundred statistics of colour less may be missed than of features by the thousand.
        seen = standardization_of(projector).mean
        shares = [torch.full_like(seen, feature_dropout)]
        shares.append(torch.full_like(colors, feature_dropout / 3))
        hidden.append(_hidden(view, torch.cat([seen, colors]), torch.cat(shares)))
    of_motion = standardization_of(model.motion_projector).mean
    return hidden, _hidden(motion, of_motion, torch.full_like(of_motion, feature_dropout))


def standardization_of(projector: nn.Module) -> Standardization:
    """Return the first layer of a nano projector, which knows the statistics of its features."""
    first = next(projector.children())
    assert isinstance(first, Standardization)  # the preset says so
    return first


def _hidden(features: Tensor, mean: Tensor, shares: Tensor) -> Tensor:
    """Hide each feature with its own probability; what is shown is drawn out, as by dropout."""
    shape = (features.shape[0], *[1] * (features.ndim - 2), features.shape[-1])
    shown = (torch.rand(shape) >= shares) / (1.0 - shares)
    return mean + (features - mean) * shown
