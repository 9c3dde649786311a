r"""ComfyUI's prompt language: weights, escapes, embeddings and chunks of 75 tokens.

    (fox)          weight 1.1          ((fox))   1.1 x 1.1
    (fox:1.3)      weight 1.3, whatever surrounds it
    \(fox\)        the parentheses themselves
    embedding:name vectors of a textual-inversion file

Square brackets and `BREAK` mean nothing here. Nothing in this module knows a vocabulary or a model.
"""

from __future__ import annotations

import contextlib
import logging
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from torch import Tensor

logger = logging.getLogger(__name__)

EMPHASIS = 1.1
LONG_WORD = 8
"""A text of fewer tokens than this is not divided between two chunks."""
_EMBEDDING = "embedding:"
_ESCAPED = {"\\(": "\0\1", "\\)": "\0\2"}


@dataclass(frozen=True, slots=True)
class Token:
    """One position of a chunk: a vocabulary id, or the vector of an embedding, [width]."""

    value: int | Tensor
    weight: float = 1.0
    word: int = field(default=0, compare=False)
    """Number, from 1, of the part of the prompt that it belongs to; 0 for what stands around the prompt."""


Chunk = tuple[Token, ...]
Tokenize = Callable[[str], list[int]]
FindEmbedding = Callable[[str], Tensor | None]
"""The vectors, [count, width], of an embedding by its name, or None when there is no such file."""


@dataclass(frozen=True, slots=True)
class ChunkShape:
    """How the chunks of a text encoder look; the default is CLIP's."""

    start: int = 49406
    end: int = 49407
    padding: int = 49407
    length: int = 77


def parse_weights(prompt: str) -> list[tuple[str, float]]:
    """The pieces of a prompt with their weights, in order, escapes still in place.

    A parenthesis that is never closed is ordinary text, and so is one that closes nothing.
    """
    done: list[tuple[str, float]] = []
    waiting = [(prompt, 1.0)]
    while waiting:  # a stack instead of recursion: a prompt of a thousand parentheses is no error
        text, weight = waiting.pop()
        parts = _top_level(text)
        if len(parts) == 1 and not _is_group(parts[0]):
            done.append((parts[0], weight))
            continue
        for part in reversed(parts):
            waiting.append(_weighted(part, weight))
    return done


def escape(text: str) -> str:
    """Replace escaped parentheses by marks that the parser does not see."""
    for written, mark in _ESCAPED.items():
        text = text.replace(written, mark)
    return text


def unescape(text: str) -> str:
    """Turn the marks of `escape` into plain parentheses."""
    for written, mark in _ESCAPED.items():
        text = text.replace(mark, written[1])
    return text


def tokenize_prompt(
    prompt: str, tokenize: Tokenize, shape: ChunkShape, find_embedding: FindEmbedding | None = None
) -> list[Chunk]:
    """The chunks of a prompt, at least one, each `shape.length` tokens long."""
    words: list[list[Token]] = []
    for text, weight in parse_weights(escape(prompt)):
        words += _words(unescape(text), weight, tokenize, find_embedding)
    return _chunks([[replace(token, word=number) for token in word] for number, word in enumerate(words, 1)], shape)


def _words(text: str, weight: float, tokenize: Tokenize, find_embedding: FindEmbedding | None) -> list[list[Token]]:
    """The tokens of a piece of text, one list for each part that should stay together."""
    words: list[list[Token]] = []
    for part in re.split(rf"(?<=[ \n])(?={_EMBEDDING})", text):
        rest = part
        if part.startswith(_EMBEDDING) and find_embedding is not None:
            vectors, rest = _embedding(part.removeprefix(_EMBEDDING), find_embedding)
            if vectors is not None:
                words.append([Token(vector, weight) for vector in vectors])
        if rest.strip():
            words.append([Token(number, weight) for number in tokenize(rest)])
    return words


def _embedding(text: str, find_embedding: FindEmbedding) -> tuple[Tensor | None, str]:
    """The vectors that a text after `embedding:` begins with, and what follows; a comma may touch the name."""
    name, *rest = text.split(maxsplit=1) or [""]
    vectors = find_embedding(name)
    stripped = name.rstrip(",")
    if vectors is None and stripped != name:
        vectors = find_embedding(stripped)
        rest = [name[len(stripped) :], *rest]
    if vectors is None:
        logger.warning("embedding %r not found in the embeddings folder, ignored", name)
    return vectors, " ".join(rest)


def _chunks(words: Sequence[Sequence[Token]], shape: ChunkShape) -> list[Chunk]:
    room = shape.length - 2
    bodies: list[list[Token]] = [[]]
    for word in words:
        rest = list(word)
        if len(rest) < LONG_WORD and len(bodies[-1]) + len(rest) > room:
            bodies.append([])
        while len(bodies[-1]) + len(rest) > room:
            free = room - len(bodies[-1])
            bodies[-1] += rest[:free]
            rest = rest[free:]
            bodies.append([])
        bodies[-1] += rest
    return [_closed(body, shape) for body in bodies]


def _closed(body: Sequence[Token], shape: ChunkShape) -> Chunk:
    padding = [Token(shape.padding)] * (shape.length - 2 - len(body))
    return (Token(shape.start), *body, Token(shape.end), *padding)


def _top_level(text: str) -> list[str]:
    """Cut a text before each parenthesis that opens, and after each that closes, at depth zero."""
    parts: list[str] = []
    depth = begin = 0
    for position, character in enumerate(text):
        if character == "(":
            if depth == 0 and position > begin:
                parts.append(text[begin:position])
                begin = position
            depth += 1
        elif character == ")":
            depth -= 1
            if depth == 0:
                parts.append(text[begin : position + 1])
                begin = position + 1
    if begin < len(text) or not parts:
        parts.append(text[begin:])
    return parts


def _is_group(part: str) -> bool:
    return len(part) >= 2 and part[0] == "(" and part[-1] == ")"


def _weighted(part: str, weight: float) -> tuple[str, float]:
    if not _is_group(part):
        return part, weight
    inner = part[1:-1]
    text, colon, number = inner.rpartition(":")
    if colon and text:
        with contextlib.suppress(ValueError):
            if math.isfinite(value := float(number)):
                return text, value
    return inner, weight * EMPHASIS
