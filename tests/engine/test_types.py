"""Which outputs feed which inputs."""

from __future__ import annotations

from typing import Any

import pytest

from inglenook.engine.types import is_compatible


class Anything(str):
    """The wildcard of many node packs: a str that never differs."""

    def __ne__(self, other: object) -> bool:
        return False

    __hash__ = str.__hash__


@pytest.mark.parametrize(
    ("received", "wanted"),
    [
        ("IMAGE", "IMAGE"),
        ("IMAGE", "MASK, IMAGE"),
        ("IMAGE,MASK", "LATENT,MASK"),
        ("IMAGE", "*"),
        ("*", "IMAGE"),
        ("LATENT,*", "IMAGE"),
        ("COMFY_MATCHTYPE_V3", "IMAGE"),
        ("IMAGE", "COMFY_MATCHTYPE_V3"),
        (("a", "b"), "COMBO"),
        (("a", "b"), ("a", "b")),
        (("a", "b"), "*"),
        (Anything("X"), "IMAGE"),
        ("IMAGE", Anything("X")),
        ("*", ("a", "b")),
    ],
)
def test_matching_types(received: Any, wanted: Any) -> None:
    assert is_compatible(received, wanted)


@pytest.mark.parametrize(
    ("received", "wanted"),
    [
        ("IMAGE", "MASK"),
        ("IMAGE", "IMAGES"),
        ("A,B", "C,D"),
        (("a",), ("b",)),
        ("STRING", ("a", "b")),
        (("a",), "STRING"),
    ],
)
def test_other_types_do_not_match(received: Any, wanted: Any) -> None:
    assert not is_compatible(received, wanted)
