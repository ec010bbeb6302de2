"""A transcript inside the run file: MessagePack, compressed."""

from __future__ import annotations

import zlib
from typing import Final

import msgspec

from stress.model.transcript import Transcript

MOST_BYTES: Final = 1 << 24
"""Far more than a transcript has; a file from elsewhere may hold a bomb."""


def encode_transcript(transcript: Transcript) -> bytes:
    """The transcript as the blob of a row."""
    return zlib.compress(msgspec.msgpack.encode(transcript))


def decode_transcript(blob: bytes) -> Transcript:
    """The transcript as it was encoded.

    Raises:
        ValueError: the blob is none.
    """
    reader = zlib.decompressobj()
    try:
        text = reader.decompress(blob, MOST_BYTES)
    except zlib.error as error:
        raise ValueError(f"a transcript cannot be read: {error}") from error
    if not reader.eof:
        raise ValueError("a transcript has no end, or is far too large")
    return msgspec.msgpack.decode(text, type=Transcript)
