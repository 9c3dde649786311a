"""The CLIP tokenizer: 49,408 byte-pair entries, driven by the `tokenizers` library.

The vocabulary `bpe_simple_vocab_16e6.txt.gz` is the one of openai/CLIP, taken from the PyPI package open_clip_torch
(MIT; the licence lies beside it); the way from that file to ids is `simple_tokenizer.py` of the same package.
"""

from __future__ import annotations

import gzip
import unicodedata
from functools import cache
from importlib import resources

from tokenizers import AddedToken, Regex, Tokenizer, models, pre_tokenizers

START_TOKEN = 49406
END_TOKEN = 49407
_MERGES = 49152 - 256 - 2
_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


def tokenize(text: str) -> list[int]:
    """The ids of a piece of text, without start and end token. Case and runs of white space make no difference."""
    ids: list[int] = _tokenizer().encode(normalize(text), add_special_tokens=False).ids
    return ids


def normalize(text: str) -> str:
    """Text as CLIP reads it: NFC, lower case, control characters dropped, each CJK ideograph a word of its own.

    These are the steps of BERT's basic tokenizer (google-research/bert `tokenization.py`, Apache-2.0), which CLIP's
    tokenizer applies when `ftfy` is not installed, and with which the reference tokens were made.
    """
    characters = []
    for character in unicodedata.normalize("NFC", text):
        if character in "\t\n\r" or unicodedata.category(character) == "Zs":
            characters.append(" ")
        elif character == "\ufffd" or unicodedata.category(character).startswith("C"):
            continue
        elif _is_ideograph(ord(character)):
            characters.append(f" {character} ")
        else:
            characters.append(character)
    return " ".join("".join(characters).lower().split())


def _is_ideograph(code: int) -> bool:
    return any(first <= code <= last for first, last in _IDEOGRAPHS)


_IDEOGRAPHS = (
    (0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F), (0x2B820, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F),
)  # fmt: skip


@cache
def _tokenizer() -> Tokenizer:
    """Built once per process (about 0.2 s)."""
    merges = _read_merges()
    units = list(_byte_units())
    entries = units + [unit + "</w>" for unit in units] + ["".join(pair) for pair in merges]
    vocabulary = {entry: number for number, entry in enumerate([*entries, "<|startoftext|>", "<|endoftext|>"])}
    tokenizer = Tokenizer(
        models.BPE(
            vocab=vocabulary,
            merges=merges,
            end_of_word_suffix="</w>",
            continuing_subword_prefix="",
            unk_token="<|endoftext|>",
        )
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.add_special_tokens(
        [AddedToken(token, normalized=False) for token in ("<|startoftext|>", "<|endoftext|>")]
    )
    return tokenizer


def _read_merges() -> list[tuple[str, str]]:
    packed = resources.files("inglenook.models.text").joinpath("data/bpe_simple_vocab_16e6.txt.gz").read_bytes()
    lines = gzip.decompress(packed).decode().split("\n")[1 : _MERGES + 1]
    return [(left, right) for left, right in (line.split() for line in lines)]


def _byte_units() -> list[str]:
    """One printable character for each byte, printable bytes first: GPT-2's table, in CLIP's order."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = 256 - len(printable)
    return [chr(byte) for byte in printable] + [chr(256 + number) for number in range(others)]
