"""Tokens in file names and choices in prompts."""

from datetime import datetime
from random import Random

import pytest

from inglenook.workflows.texts import expand_choices, expand_tokens

NOW = datetime(2026, 4, 5, 16, 7, 8)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a_%date:yyyy-MM-dd%_b", "a_2026-04-05_b"),
        ("%date:yy M d h m s%", "26 4 5 16 7 8"),
        ("%date:hhmmss%", "160708"),
        ("%Sampler.seed%", "12"),
        ("%Text.text%", "a_b_c"),
        ("%Sampler.cfg%", "7"),
        ("%Sampler.other% %date% %width% %year% 100%", "%Sampler.other% %date% %width% %year% 100%"),
        ("%", "%"),
        ("%%", "%%"),
    ],
)
def test_tokens_of_the_editor_are_filled_and_those_of_the_server_stay(text, expected):
    values = {("Sampler", "seed"): 12, ("Sampler", "cfg"): 7.0, ("Text", "text"): "a/b:c"}
    assert expand_tokens(text, NOW, lambda name, widget: values.get((name, widget))) == expected


@pytest.mark.parametrize(
    ("text", "possible"),
    [
        ("plain", {"plain"}),
        ("a | b", {"a | b"}),
        ("{a|b}", {"a", "b"}),
        ("{a|b {c|d}} and {|x}", {f"{left} and {right}" for left in ("a", "b c", "b d") for right in ("", "x")}),
        (r"\{a|b\} \| {c}", {"{a|b} | c"}),
        ("one // gone\ntwo /* gone\ntoo */ three", {"one \ntwo  three"}),
        ("{a|b", {"{a|b"}),
        ("a}b", {"a}b"}),
        ("{x|{y|z}", {"{x|y", "{x|z"}),
    ],
)
def test_one_of_the_choices_is_taken(text, possible):
    found = {expand_choices(text, Random(seed)) for seed in range(60)}
    assert found == possible


@pytest.mark.parametrize("text", ["{" * 100_000, "}" * 100_000, "{a" * 50_000 + "}" * 50_000, "/*" * 100_000, "\\" * 9])
def test_texts_that_are_made_to_take_long_do_not(text):
    expand_choices(text, Random(1))
