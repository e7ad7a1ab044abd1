"""The InternLM2 tokenizer of an official checkpoint folder, without its remote code.

The folder holds a sentencepiece BPE model and, as JSON, the tokens that InternVL added to it. Both
become one `tokenizers.Tokenizer` that splits text as the official tokenizer does: added tokens
first, then BPE on what stands between them.
"""

import json
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers

from finevq.errors import CheckpointError
from finevq.prompts.sentencepiece_file import PieceType, SentencePieceModel

SENTENCEPIECE_FILE = "tokenizer.model"
TOKENIZER_FILE = "tokenizer.json"

_SPACE = "▁"


@dataclass(frozen=True, slots=True)
class _Added:
    content: str
    special: bool
    lstrip: bool = False
    rstrip: bool = False


def load_tokenizer(folder: Path) -> Tokenizer:
    """Load the tokenizer of a checkpoint folder.

    Args:
        folder: Holds tokenizer.json (ours), or tokenizer.model with tokenizer_config.json or
            added_tokens.json (official).

    Raises:
        CheckpointError: the files are missing, damaged or contradict each other.
    """
    if (folder / SENTENCEPIECE_FILE).is_file():
        model = SentencePieceModel.from_file(folder / SENTENCEPIECE_FILE)
        return build_tokenizer(model, _read_added(folder))
    path = folder / TOKENIZER_FILE
    if not path.is_file():
        raise CheckpointError(
            f"{folder} holds no tokenizer: {SENTENCEPIECE_FILE} (official) or {TOKENIZER_FILE} "
            "(converted) is needed; download the whole repository of the model"
        )
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises bare Exception for a damaged file
        raise CheckpointError(f"{path} cannot be read: {error}") from error


def build_tokenizer(model: SentencePieceModel, added: Mapping[int, _Added]) -> Tokenizer:
    """Join a sentencepiece model and added tokens.

    Raises:
        CheckpointError: the model is not BPE, or an added token cannot have its id.
    """
    if not model.is_bpe:
        raise CheckpointError(
            f"{SENTENCEPIECE_FILE} is not a BPE model; InternLM2's is, so this is another model's"
        )
    texts = [piece.text for piece in model.pieces]
    # Added tokens may take the places of unused pieces: <|im_end|> does.
    for index, token in added.items():
        if index < len(texts):
            texts[index] = token.content
    unknown = [p.text for p in model.pieces if p.type is PieceType.UNKNOWN]
    tokenizer = Tokenizer(
        models.BPE(
            vocab={text: index for index, text in enumerate(texts)},
            merges=list(_merges(model, set(added))),
            unk_token=unknown[0] if unknown else None,
            fuse_unk=True,
            byte_fallback=any(piece.type is PieceType.BYTE for piece in model.pieces),
        )
    )
    tokenizer.normalizer = _normalizer(model)
    tokenizer.decoder = _decoder(model)
    _add_tokens(tokenizer, model, added)
    return tokenizer


def _add_tokens(
    tokenizer: Tokenizer, model: SentencePieceModel, added: Mapping[int, _Added]
) -> None:
    for index in sorted(added):
        token = added[index]
        entry = AddedToken(
            token.content, lstrip=token.lstrip, rstrip=token.rstrip, normalized=False
        )
        if token.special:
            tokenizer.add_special_tokens([entry])
        else:
            tokenizer.add_tokens([entry])
        if (found := tokenizer.token_to_id(token.content)) != index:
            raise CheckpointError(
                f"added token {token.content!r} should have id {index} but gets {found}: the "
                f"added tokens do not continue the {len(model.pieces)} pieces of "
                f"{SENTENCEPIECE_FILE}; the files are of different models"
            )
    # Pieces that a user defined are never cut or merged, like added tokens.
    own = [piece.text for piece in model.pieces if piece.type is PieceType.USER_DEFINED]
    known = {token.content for token in added.values()}
    tokenizer.add_tokens(
        [
            AddedToken(text.replace(_SPACE, " "), normalized=False)
            for text in own
            if text not in known and tokenizer.token_to_id(text) is not None
        ]
    )


def _merges(model: SentencePieceModel, replaced: Set[int]) -> Iterator[tuple[str, str]]:
    """Yield pairs in the order in which sentencepiece joins them: best score of the whole first."""
    mergeable = {
        piece.text: index
        for index, piece in enumerate(model.pieces)
        if piece.type is PieceType.NORMAL and index not in replaced
    }
    ranked = sorted(
        mergeable, key=lambda text: (-model.pieces[mergeable[text]].score, mergeable[text])
    )
    for text in ranked:
        pairs = [
            (text[:cut], text[cut:])
            for cut in range(1, len(text))
            if text[:cut] in mergeable and text[cut:] in mergeable
        ]
        yield from sorted(pairs, key=lambda pair: (mergeable[pair[0]], mergeable[pair[1]]))


def _normalizer(model: SentencePieceModel) -> normalizers.Normalizer:
    steps: list[normalizers.Normalizer] = []
    if model.character_map:
        steps.append(normalizers.Precompiled(model.character_map))
    if model.remove_extra_whitespaces:
        steps += [normalizers.Strip(), normalizers.Replace(Regex(" {2,}"), " ")]
    if model.add_dummy_prefix:
        steps.append(normalizers.Prepend(_SPACE))
    steps.append(normalizers.Replace(" ", _SPACE))
    return normalizers.Sequence(steps)


def _decoder(model: SentencePieceModel) -> decoders.Decoder:
    steps: list[decoders.Decoder] = [
        decoders.Replace(_SPACE, " "),
        decoders.ByteFallback(),
        decoders.Fuse(),
    ]
    if model.add_dummy_prefix:
        steps.append(decoders.Strip(" ", 1, 0))
    return decoders.Sequence(steps)


def _read_added(folder: Path) -> dict[int, _Added]:
    """Read the tokens that were added to the sentencepiece model, by id."""
    config = _read_json(folder / "tokenizer_config.json")
    decoder = config.get("added_tokens_decoder")
    try:
        if decoder:
            return {
                int(index): _Added(
                    entry["content"],
                    bool(entry.get("special", False)),
                    bool(entry.get("lstrip", False)),
                    bool(entry.get("rstrip", False)),
                )
                for index, entry in decoder.items()
            }
        listed = _read_json(folder / "added_tokens.json")
        return {int(index): _Added(content, special=True) for content, index in listed.items()}
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise CheckpointError(
            f"{folder}: tokenizer_config.json or added_tokens.json has an unexpected form: {error}"
        ) from error


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CheckpointError(f"{path} is not JSON: {error}") from error
    return values
