"""Names from elsewhere stay in their folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inglenook.client.saving import ArrivingFile, plain_name


@given(st.text(max_size=20))
def test_a_name_never_leaves_the_folder(name: str) -> None:
    try:
        plain = plain_name(name)
    except ValueError:
        return
    assert Path("folder", plain).resolve().parent == Path("folder").resolve()
    assert not plain.startswith(".")


@pytest.mark.parametrize(
    ("name", "plain"),
    [("../../etc/passwd", "passwd"), ("C:\\x\\a.png", "a.png"), ("图 1.png", "图 1.png"), ("a\x00b.png", "ab.png")],
)
def test_names_are_made_plain(name: str, plain: str) -> None:
    assert plain_name(name) == plain


def test_a_file_that_did_not_arrive_whole_is_not_there(tmp_path: Path) -> None:
    with ArrivingFile(tmp_path, "a.png") as arriving:
        arriving.write(b"half")
    assert list(tmp_path.iterdir()) == []
