"""FineVQ: joins the boxes of the paper's figure 5. Knows no file, no video and no prompt.

Letters of shapes: B videos, F sparse frames, M motion stretches, T frames of a stretch, V visual
tokens, L text tokens, D width of a token.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import Cache

from finevq.errors import ModelError
from finevq.model.config import ModelConfig
from finevq.model.direct_readings import NUM_READINGS, DirectReadings
from finevq.model.fault_reader import FaultReader
from finevq.model.image_encoder import build_image_encoder
from finevq.model.language_model import build_language_model
from finevq.model.motion_encoder import MotionEncoder
from finevq.model.opinion_reader import OpinionReader
from finevq.model.projectors import NamedProjector, build_projector
from finevq.model.score_head import ScoreHead

_COLOR_HIDDEN = 256
"""Width between the layers that read statistics of colour."""


@dataclass(frozen=True, slots=True)
class ModelOutput:
    """What one pass over a text says."""

    hidden: Tensor
    """(B, L, D), after the last normalisation."""
    logits: Tensor
    """(B, L, vocabulary): the next token at each position."""
    cache: Cache | None
    """Keys and values up to here, where they were asked for."""


class FineVQ(nn.Module):
    """One multimodal model for all six dimensions.

    Args:
        config: The whole architecture.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        width = config.language_model.width
        self.image_encoder = build_image_encoder(config.image_encoder)
        hidden = config.image_encoder.projector_expansion * width
        num_colors = self.image_encoder.num_colors
        num_views = len(config.video.views)
        seen = self.image_encoder.width - num_colors
        # One projector a view: a squashed frame and a native crop have other statistics.
        self.image_projectors = nn.ModuleList(
            build_projector(
                seen,
                width,
                hidden=hidden,
                standardized=config.standardized_features,
            )
            for _ in config.video.views
        )
        if config.num_summary_tokens:
            self.image_projectors.append(
                build_projector(
                    seen * num_views,
                    width * config.num_summary_tokens,
                    hidden=2 * width,
                    standardized=config.standardized_features,
                )
            )
            if num_colors:
                # On its own: a few hundred numbers would drown among thousands of features.
                of_colors = build_projector(
                    num_colors * num_views,
                    width * config.num_summary_tokens,
                    hidden=_COLOR_HIDDEN,
                    standardized=config.standardized_features,
                )
                last = of_colors[-1]
                assert isinstance(last, nn.Linear)
                # It adds to what is there, and begins with nothing.
                nn.init.zeros_(last.weight)
                nn.init.zeros_(last.bias)
                self.image_projectors.append(of_colors)
        if config.num_named_tokens:
            # The last of them; it reads motion too.
            self.image_projectors.append(
                NamedProjector(
                    seen * num_views,
                    config.motion_encoder.feature_width if config.num_motion_tokens else 0,
                    width,
                    num_names=config.num_named_tokens,
                    colors=num_colors * num_views,
                    hidden_colors=_COLOR_HIDDEN,
                )
            )
        if config.num_motion_tokens:
            self.motion_encoder = MotionEncoder(config.motion_encoder)
            self.motion_projector = build_projector(
                config.motion_encoder.feature_width,
                width,
                standardized=config.standardized_features,
            )
        self.language_model = build_language_model(config.language_model)
        if config.has_score_head:
            self.score_head = ScoreHead(config.score_head, width)
        if config.opinion_share:
            self.opinion_reader = OpinionReader(
                seen * num_views,
                config.motion_encoder.feature_width if config.num_motion_tokens else 0,
                has_familiarity=config.opinion_familiarity,
            )
        if config.has_fault_reader:
            self.fault_reader = FaultReader(
                seen * num_views,
                config.motion_encoder.feature_width if config.num_motion_tokens else 0,
                colors=num_colors * num_views,
                hidden_colors=_COLOR_HIDDEN,
            )

    @property
    def summary_projector(self) -> nn.Module:
        """What makes the summary tokens; only a model with such tokens has one."""
        return self.image_projectors[len(self.config.video.views)]

    @property
    def color_projector(self) -> nn.Module:
        """What statistics of colour add to the summary tokens."""
        return self.image_projectors[len(self.config.video.views) + 1]

    @property
    def named_projector(self) -> NamedProjector:
        """What makes the named tokens; only a model with such tokens has one."""
        projector = self.image_projectors[-1]
        assert isinstance(projector, NamedProjector)
        return projector

    def encode_images(self, views: Sequence[Tensor]) -> list[Tensor]:
        """Read the sparse frames.

        Args:
            views: For each view (B, F, 3, H, W), normalised RGB.

        Returns:
            For each view (B, F, tokens, features), before projection.
        """
        features = []
        for view in views:
            tokens = self.image_encoder(view.flatten(0, 1))  # (B*F, tokens, features)
            features.append(tokens.unflatten(0, view.shape[:2]))
        return features

    def encode_motion(self, motion: Tensor) -> Tensor:
        """Read the motion frames.

        Args:
            motion: (B, M, 3, T, H, W), normalised RGB.

        Returns:
            (B, M, features), before projection.
        """
        features: Tensor = self.motion_encoder(motion.flatten(0, 1))
        return features.reshape(*motion.shape[:2], -1)

    def project(
        self, image_features: Sequence[Tensor], motion_features: Tensor | None = None
    ) -> Tensor:
        """Turn features into tokens: frame by frame all views, summary, motion; then named tokens.

        Args:
            image_features: For each view (B, F, tokens, features).
            motion_features: (B, M, features); None for a model without a motion branch.

        Returns:
            (B, V + N, D): V for the places of the prefix, N that questions show.
        """
        frames = torch.cat(self.frame_tokens(image_features), dim=2)  # (B, F, views * tokens, D)
        tokens = [frames.flatten(1, 2)]
        if self.config.num_summary_tokens:
            tokens.append(self.summarise(image_features))
        if motion_features is not None:
            tokens.append(self.motion_projector(motion_features))  # (B, M, D)
        if self.config.num_named_tokens:
            tokens.append(self.named_tokens(image_features, motion_features))
        return torch.cat(tokens, dim=1)

    def frame_tokens(self, image_features: Sequence[Tensor]) -> list[Tensor]:
        """Turn what the network saw into tokens, frame by frame.

        Args:
            image_features: For each view (B, F, tokens, features).

        Returns:
            For each view (B, F, tokens, D).
        """
        of_views = list(self.image_projectors)[: len(self.config.video.views)]
        return [
            projector(self._split(features)[0])
            for projector, features in zip(of_views, image_features, strict=True)
        ]

    def summarise(self, image_features: Sequence[Tensor]) -> Tensor:
        """Turn the mean features of all views, read together, into tokens.

        Args:
            image_features: For each view (B, F, tokens, features).

        Returns:
            (B, summary tokens, D).
        """
        means, colors = self.mean_features(image_features)
        tokens: Tensor = self.summary_projector(means)
        if self.image_encoder.num_colors:
            tokens = tokens + self.color_projector(colors)
        return tokens.reshape(len(means), self.config.num_summary_tokens, -1)

    def named_tokens(
        self, image_features: Sequence[Tensor], motion_features: Tensor | None
    ) -> Tensor:
        """Turn the mean features of all views and motion, read together, into a token a name.

        Args:
            image_features: For each view (B, F, tokens, features).
            motion_features: (B, M, features); None for a model without a motion branch.

        Returns:
            (B, N, D).
        """
        means, colors = self.mean_features(image_features)
        tokens: Tensor = self.named_projector(means, colors, motion_features)
        return tokens

    def direct_readings(
        self, image_features: Sequence[Tensor], motion_features: Tensor | None
    ) -> DirectReadings | None:
        """Return what is read of videos without any language.

        Args:
            image_features: For each view (B, F, tokens, features).
            motion_features: (B, M, features); None for a model without a motion branch.

        Returns:
            Of B videos; None where the model has no such readers. The fault reader has
            `config.fault_share` of five scores and `config.presence_share` of what is there; the
            reader of opinions has `config.opinion_share` of overall where it looks like
            photographs, less of all else.
        """
        config = self.config
        if not config.opinion_share and not config.has_fault_reader:
            return None
        means, colors = self.mean_features(image_features)
        nothing = means.new_zeros(len(means), NUM_READINGS)
        readings = DirectReadings(nothing, nothing)
        if config.has_fault_reader:
            raw, log_odds = self.fault_reader(means, colors, motion_features)
            scores, overall = self._on_scale(raw), nothing[:, :1]  # none of its scores, and last
            shares = (
                torch.full_like(scores, config.fault_share),
                overall,
                torch.full_like(log_odds, config.presence_share),
            )
            values = torch.cat([scores, overall, log_odds], dim=1)
            readings = DirectReadings(values, torch.cat(shares, dim=1))
        opinion, share = nothing[:, 0], nothing[:, 0]
        if config.opinion_share:
            opinion = self._on_scale(self.opinion_reader(means, motion_features))
            share = config.opinion_share * self.opinion_reader.familiarity(means)
        return readings.with_overall(opinion, share)

    def mean_features(self, image_features: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Return the means over frames of all views, read together.

        Args:
            image_features: For each view (B, F, tokens, features).

        Returns:
            What the network saw (B, views x width), statistics of colour (B, views x colours).
        """
        parts = [self._split(features.mean(dim=(1, 2))) for features in image_features]
        seen, colors = zip(*parts, strict=True)
        return torch.cat(seen, dim=1), torch.cat(colors, dim=1)

    def _split(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return (..., width of what the network saw), (..., statistics of colour)."""
        end = features.shape[-1] - self.image_encoder.num_colors
        return features[..., :end], features[..., end:]

    def parts_of(self, visual: Tensor) -> tuple[Tensor, Tensor]:
        """Split visual tokens (B, V + N, D) into those of the prefix and named ones; N may be 0."""
        end = visual.shape[1] - self.config.num_named_tokens
        return visual[:, :end], visual[:, end:]

    def encode_video(self, views: Sequence[Tensor], motion: Tensor | None = None) -> Tensor:
        """Turn a video into visual tokens (B, V + N, D); see `project`."""
        motion_features = None if motion is None else self.encode_motion(motion)
        return self.project(self.encode_images(views), motion_features)

    def embed(
        self, input_ids: Tensor, visual: Tensor | None = None, *, named: Tensor | None = None
    ) -> Tensor:
        """Embed a text; visual tokens take the places of the context tokens, in order.

        Ids beyond the vocabulary show the video's named tokens, the first of them with the first.

        Args:
            input_ids: (B, L).
            visual: (B, V + N, D), with V context tokens in each row of the text; None for a text
                without any.
            named: (B, N, D), for a text without context tokens.

        Returns:
            (B, L, D).

        Raises:
            ValueError: the text has another number of places than there are visual tokens.
        """
        if visual is not None:
            visual, named = self.parts_of(visual)
        embeds = self._embed_text(input_ids, named)
        places = input_ids == self.config.context_token_id
        num_places, num_tokens = int(places.sum()), 0 if visual is None else visual[..., 0].numel()
        if num_places != num_tokens:
            raise ValueError(f"{num_places} context tokens in the text, {num_tokens} visual tokens")
        if visual is None:
            return embeds
        return embeds.masked_scatter(places.unsqueeze(-1), visual.to(embeds.dtype))

    def _embed_text(self, input_ids: Tensor, named: Tensor | None) -> Tensor:
        table = self.language_model.get_input_embeddings()
        if named is None or not named.shape[1]:
            words: Tensor = table(input_ids)
            return words
        num_words = self.language_model.config.vocab_size
        beyond = input_ids - num_words
        rows = torch.arange(len(named), device=named.device)[:, None]
        shown = named[rows, beyond.clamp(min=0)]  # (B, L, D)
        words = table(input_ids.clamp(max=num_words - 1))
        return torch.where((beyond >= 0).unsqueeze(-1), shown.to(words.dtype), words)

    def forward(
        self,
        embeds: Tensor,
        *,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        cache: Cache | None = None,
        with_logits: bool = True,
    ) -> ModelOutput:
        """Read embedded tokens.

        Args:
            embeds: (B, L, D), from `embed`.
            attention_mask: (B, L) of 0 and 1, or (B, 1, L, cached + L) added to the attention
                scores; causal where None.
            position_ids: (B, L); counted on from the cache where None.
            cache: Keys and values of what was read before; extended in place.
            with_logits: False leaves them out (no positions): over a prefix of thousands of tokens
                they are large and never looked at. `logits` gives them for chosen positions.
        """
        out = self.language_model.model(
            inputs_embeds=embeds,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=cache,
            use_cache=cache is not None,
        )
        hidden = out.last_hidden_state
        logits = self.logits(hidden if with_logits else hidden[:, :0])
        return ModelOutput(hidden, logits, out.past_key_values)

    def logits(self, hidden: Tensor) -> Tensor:
        """Return what comes next (..., vocabulary) after hidden states (..., D)."""
        logits: Tensor = self.language_model.lm_head(hidden)
        return logits

    def score(self, hidden: Tensor) -> Tensor:
        """Read scores off hidden states.

        Args:
            hidden: (..., D): states of the token before the level word.

        Returns:
            (...): on the scale of `config.score_head` (0..100 as published).

        Raises:
            ModelError: the model has no score head.
        """
        if not self.config.has_score_head:
            raise ModelError(
                f"model {self.config.name!r} answers questions but has no score head; "
                "use a score checkpoint for scores"
            )
        return self._on_scale(self.score_head(hidden))

    def _on_scale(self, raw: Tensor) -> Tensor:
        head = self.config.score_head
        return head.low + (head.high - head.low) * raw
