"""Nodes that hold values, work on texts and search them."""

import json
import logging
import re
import threading
import time

import pytest
import torch

from inglenook.errors import NodeError
from inglenook.nodes import regular_expressions, text


@pytest.mark.parametrize(
    ("class_type", "value"),
    [
        ("PrimitiveInt", 2**63 - 1),
        ("PrimitiveFloat", -0.5),
        ("PrimitiveBoolean", False),
        ("PrimitiveString", "a"),
        ("PrimitiveStringMultiline", "a\nb"),
    ],
)
def test_a_primitive_gives_its_value(run, class_type, value):
    assert run(class_type, value=value) == (value,)


@pytest.mark.parametrize(
    ("class_type", "inputs", "wanted"),
    [
        ("StringConcatenate", {"string_a": "a", "string_b": "b", "delimiter": ", "}, "a, b"),
        ("StringSubstring", {"string": "picture", "start": 1, "end": -2}, "ictu"),
        ("StringSubstring", {"string": "picture", "start": 5, "end": 99}, "re"),
        ("StringLength", {"string": "中文 🖼"}, 4),
        ("CaseConverter", {"string": "one TWO", "mode": "UPPERCASE"}, "ONE TWO"),
        ("CaseConverter", {"string": "one TWO", "mode": "lowercase"}, "one two"),
        ("CaseConverter", {"string": "one TWO", "mode": "Capitalize"}, "One two"),
        ("CaseConverter", {"string": "one TWO", "mode": "Title Case"}, "One Two"),
        ("StringTrim", {"string": "\n a ", "mode": "Both"}, "a"),
        ("StringTrim", {"string": "\n a ", "mode": "Left"}, "a "),
        ("StringTrim", {"string": "\n a ", "mode": "Right"}, "\n a"),
        ("StringReplace", {"string": "a.b.c", "find": ".", "replace": "--"}, "a--b--c"),
        ("StringContains", {"string": "A cat", "substring": "CAT", "case_sensitive": False}, True),
        ("StringContains", {"string": "A cat", "substring": "CAT", "case_sensitive": True}, False),
        ("StringCompare", {"string_a": "Cat", "string_b": "ca", "mode": "Starts With", "case_sensitive": False}, True),
        ("StringCompare", {"string_a": "Cat", "string_b": "AT", "mode": "Ends With", "case_sensitive": True}, False),
        ("StringCompare", {"string_a": "Cat", "string_b": "cat", "mode": "Equal", "case_sensitive": False}, True),
    ],
)
def test_texts_are_changed_and_compared(run, class_type, inputs, wanted):
    assert run(class_type, **inputs) == (wanted,)


PLAIN = {"case_insensitive": False, "multiline": False, "dotall": False}


@pytest.mark.parametrize(
    ("pattern", "flags", "wanted"),
    [
        ("c.t", {}, True),
        ("^CAT", {}, False),
        ("^a$", {"multiline": True}, True),
        ("^a$", {}, False),
        ("CAT", {"case_insensitive": True}, True),
        ("a.cat", {"dotall": True}, True),
        ("a.cat", {}, False),
        ("(", {}, False),
    ],
)
def test_a_pattern_is_found_or_not(run, pattern, flags, wanted):
    assert run("RegexMatch", string="a\ncat", regex_pattern=pattern, **{**PLAIN, **flags}) == (wanted,)


@pytest.mark.parametrize(
    ("pattern", "mode", "group", "wanted"),
    [
        (r"\d+", "First Match", 1, "12"),
        (r"\d+", "All Matches", 1, "12\n345"),
        (r"(\w)=(\d+)", "All Matches", 1, "x\ny"),
        (r"(\w)=(\d+)", "First Group", 2, "12"),
        (r"(\w)=(\d+)", "First Group", 3, ""),
        (r"(\w)=(\d+)", "First Group", 0, "x=12"),
        (r"(\w)=(\d+)", "All Groups", 2, "12\n345"),
        (r"\d+", "All Groups", 0, ""),
        (r"(x)|(y)", "All Groups", 1, "x\n"),
        (r"z", "First Match", 1, ""),
        (r"(", "All Matches", 1, ""),
    ],
)
def test_matches_are_taken_out(run, pattern, mode, group, wanted):
    found = run("RegexExtract", string="x=12, y=345", regex_pattern=pattern, mode=mode, group_index=group, **PLAIN)
    assert found == (wanted,)


def test_matches_are_replaced(run):
    assert run("RegexReplace", string="x=1, y=2", regex_pattern=r"(\w)=(\d)", replace=r"\2:\g<1>") == ("1:x, 2:y",)
    assert run("RegexReplace", string="aAa", regex_pattern="A", replace="b", count=2) == ("bba",)
    assert run("RegexReplace", string="aAa", regex_pattern="A", replace="b", case_insensitive=False) == ("aba",)


@pytest.mark.parametrize(
    ("pattern", "replacement", "message"),
    [
        ("(", "", r"regular expression '\('"),
        ("a", r"\7", "replacement"),
        ("a", r"\g<name>", "replacement"),
        ("(" * 4000 + ")" * 4000, "", "nested too deeply"),
        ("a" * 10_001, "", "10001 characters"),
    ],
)
def test_a_replacement_that_cannot_be_made_is_an_error(run, pattern, replacement, message):
    with pytest.raises(NodeError, match=message):
        run("RegexReplace", string="banana", regex_pattern=pattern, replace=replacement)


def test_a_text_that_is_no_pattern_is_logged(run, caplog):
    with caplog.at_level(logging.WARNING):
        run("RegexMatch", string="a", regex_pattern="[", **PLAIN)
    assert "not a regular expression" in caplog.text


@pytest.mark.parametrize(
    ("class_type", "more"),
    [
        ("RegexMatch", PLAIN),
        ("RegexExtract", {**PLAIN, "mode": "First Match", "group_index": 1}),
        ("RegexReplace", {"replace": ""}),
    ],
)
def test_a_pattern_that_explodes_is_stopped_and_others_run_meanwhile(run, monkeypatch, class_type, more):
    monkeypatch.setattr(regular_expressions, "SEARCH_S", 0.3)
    ended, turns = threading.Event(), 0

    def search():
        with pytest.raises(NodeError, match=re.escape("'(a+)+b' took more than")):
            run(class_type, string="a" * 5000, regex_pattern="(a+)+b", **more)
        ended.set()

    searching = threading.Thread(target=search)
    searching.start()
    while not ended.is_set() and searching.is_alive():
        turns += 1
        time.sleep(0.001)
    searching.join()
    assert ended.is_set()
    assert turns > 1


@pytest.mark.parametrize(
    ("class_type", "inputs"),
    [
        ("StringConcatenate", {"string_a": "a" * 60, "string_b": "b" * 60, "delimiter": ""}),
        ("StringReplace", {"string": "a" * 20, "find": "a", "replace": "b" * 20}),
        ("StringReplace", {"string": "a" * 20, "find": "", "replace": "b" * 20}),
        ("RegexReplace", {"string": "a" * 20, "regex_pattern": "", "replace": "b" * 20}),
        (
            "RegexExtract",
            {"string": "a" * 60, "regex_pattern": ".(?=.*?(b?))", "mode": "All Matches", "group_index": 1, **PLAIN},
        ),
    ],
)
def test_texts_do_not_grow_without_bounds(run, monkeypatch, class_type, inputs):
    monkeypatch.setattr(text, "LONGEST", 50)
    with pytest.raises(NodeError, match="at most 50 are allowed"):
        run(class_type, **inputs)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("a text", "a text"),
        (3, "3"),
        (True, "True"),
        (None, "None"),
        ([1, "two"], json.dumps([1, "two"], indent=4)),
        ({"a": 1.5}, json.dumps({"a": 1.5}, indent=4)),
        (torch.zeros(2), "tensor([0., 0.])"),
    ],
)
def test_any_value_is_shown(run, value, shown):
    assert run("PreviewAny", source=value) == {"ui": {"text": (shown,)}}
