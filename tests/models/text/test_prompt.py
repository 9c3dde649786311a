import json
from pathlib import Path

import pytest
import torch

from inglenook.models.text.bpe import tokenize
from inglenook.models.text.prompt import ChunkShape, parse_weights, tokenize_prompt

REFERENCE = json.loads((Path(__file__).parents[2] / "data/reference/tokens.json").read_text())


def numbers(chunk):
    return [(token.value if isinstance(token.value, int) else "vector", token.weight) for token in chunk]


@pytest.mark.parametrize("case", REFERENCE, ids=lambda case: repr(case["text"][:30]))
def test_tokens_and_weights_equal_the_reference(case):
    chunks = tokenize_prompt(case["text"], tokenize, ChunkShape())
    assert [[list(pair) for pair in numbers(chunk)] for chunk in chunks] == case["chunks"]


@pytest.mark.parametrize(
    ("prompt", "pieces"),
    [
        ("a (b) c", [("a ", 1.0), ("b", 1.1), (" c", 1.0)]),
        ("(a:0.5)(b:2)", [("a", 0.5), ("b", 2.0)]),
        ("(a:b)", [("a:b", 1.1)]),
        ("(:1.3)", [(":1.3", 1.1)]),
        ("(a:nan)", [("a:nan", 1.1)]),
        ("()", [("", 1.1)]),
        ("", [("", 1.0)]),
        ("a) (b:1.3)", [("a) (b:1.3)", 1.0)]),
    ],
)
def test_weights_of_pieces(prompt, pieces):
    assert parse_weights(prompt) == pieces


def test_thousands_of_parentheses_are_no_problem():
    (piece,) = parse_weights("(" * 1500 + "x" + ")" * 1500)
    assert piece[0] == "x"


def test_a_short_piece_moves_whole_to_the_next_chunk_and_a_long_one_is_divided():
    shape = ChunkShape(start=-1, end=-2, padding=-3, length=12)
    letters = lambda text: [ord(letter) for letter in text if letter != " "]  # noqa: E731
    short = tokenize_prompt("aaaaaa(bbbbbb:2)", letters, shape)
    assert [token.value for token in short[0]] == [-1, *[97] * 6, -2, *[-3] * 4]
    assert [token.weight for token in short[1]][1:7] == [2.0] * 6
    long = tokenize_prompt("aaaaaa(bbbbbbbbb:2)", letters, shape)
    assert [token.value for token in long[0]] == [-1, *[97] * 6, *[98] * 4, -2]


class TestEmbeddings:
    vectors = torch.ones(3, 8)

    def find(self, name):
        return self.vectors if name == "style" else None

    def tokens(self, prompt):
        (chunk,) = tokenize_prompt(prompt, tokenize, ChunkShape(), self.find)
        pairs = numbers(chunk)[1:]
        return pairs[: pairs.index((49407, 1.0))]

    def test_a_name_stands_for_its_vectors(self):
        assert self.tokens("a (embedding:style:1.2) fox") == [(320, 1.0), *[("vector", 1.2)] * 3, (3240, 1.0)]

    def test_a_comma_may_touch_the_name(self):
        assert self.tokens("embedding:style, fox") == [*[("vector", 1.0)] * 3, (267, 1.0), (3240, 1.0)]

    def test_a_missing_name_is_ignored_with_a_warning(self, caplog):
        assert self.tokens("embedding:nothing fox") == [(3240, 1.0)]
        assert "nothing" in caplog.text

    def test_a_name_alone_at_the_end(self):
        assert self.tokens("fox embedding:") == [(3240, 1.0)]
