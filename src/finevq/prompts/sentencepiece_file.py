"""Reads a sentencepiece model file without the sentencepiece library.

The file is one protocol-buffers message; only the fields that BPE encoding needs are taken.
Source: sentencepiece_model.proto of google/sentencepiece (field numbers), and the protocol-buffers
wire format.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from finevq.errors import CheckpointError


class PieceType(IntEnum):
    """What a piece is for."""

    NORMAL = 1
    UNKNOWN = 2
    CONTROL = 3
    USER_DEFINED = 4
    UNUSED = 5
    BYTE = 6


@dataclass(frozen=True, slots=True)
class Piece:
    """One entry of the vocabulary; its place is its id."""

    text: str
    score: float
    """Of BPE: the larger, the earlier it was merged."""
    type: PieceType


@dataclass(frozen=True, slots=True)
class SentencePieceModel:
    """What a sentencepiece file says."""

    pieces: tuple[Piece, ...]
    is_bpe: bool
    add_dummy_prefix: bool
    """A space is put before every text."""
    remove_extra_whitespaces: bool
    """Runs of spaces become one, outer ones vanish."""
    character_map: bytes
    """Precompiled normalisation rules; empty for none."""
    normalizer_name: str

    @classmethod
    def from_file(cls, path: Path) -> "SentencePieceModel":
        """Read a tokenizer.model.

        Raises:
            CheckpointError: the file is missing or not a sentencepiece model.
        """
        try:
            data = path.read_bytes()
            return cls._from_bytes(data)
        except (OSError, ValueError, IndexError, struct.error) as error:
            raise CheckpointError(
                f"{path} is not a sentencepiece model that can be read: {error}"
            ) from error

    @classmethod
    def _from_bytes(cls, data: bytes) -> "SentencePieceModel":
        pieces: list[Piece] = []
        trainer: dict[int, bytes | int] = {}
        normalizer: dict[int, bytes | int] = {}
        for number, value in _fields(data):
            if number == 1 and isinstance(value, bytes):
                pieces.append(_piece(dict(_fields(value))))
            elif number == 2 and isinstance(value, bytes):
                trainer = dict(_fields(value))
            elif number == 3 and isinstance(value, bytes):
                normalizer = dict(_fields(value))
        if not pieces:
            raise ValueError("it holds no vocabulary")
        return cls(
            pieces=tuple(pieces),
            is_bpe=trainer.get(3, 1) == 2,
            add_dummy_prefix=bool(normalizer.get(3, 1)),
            remove_extra_whitespaces=bool(normalizer.get(4, 1)),
            character_map=_bytes(normalizer.get(2, b"")),
            normalizer_name=_bytes(normalizer.get(1, b"")).decode(),
        )


def _piece(fields: dict[int, bytes | int]) -> Piece:
    (score,) = struct.unpack("<f", _bytes(fields.get(2, bytes(4))))
    kind = fields.get(3, PieceType.NORMAL.value)
    if isinstance(kind, bytes):
        raise ValueError("a piece's type is not a number")
    return Piece(_bytes(fields[1]).decode(), score, PieceType(kind))


def _bytes(value: bytes | int) -> bytes:
    if not isinstance(value, bytes):
        raise ValueError("a field has an unexpected type")
    return value


def _fields(data: bytes) -> Iterator[tuple[int, bytes | int]]:
    """Yield number and value of each field: int for varints, else the raw bytes."""
    position = 0
    while position < len(data):
        tag, position = _varint(data, position)
        kind = tag & 7
        if kind == 0:
            value, position = _varint(data, position)
            yield tag >> 3, value
            continue
        if kind == 2:
            length, position = _varint(data, position)
        elif kind in (1, 5):
            length = 8 if kind == 1 else 4
        else:
            raise ValueError(f"wire type {kind} at byte {position}")
        if position + length > len(data):
            raise ValueError("it ends in the middle of a field")
        yield tag >> 3, data[position : position + length]
        position += length


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
