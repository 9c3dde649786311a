"""Names that requests and nodes give never lead out of their folder."""

import os
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inglenook.errors import UnsafePath
from inglenook.media import paths

PIECES = st.sampled_from(
    [
        "..",
        ".",
        "a",
        "b.png",
        "/",
        "\\",
        "//",
        "\x00",
        "C:",
        "c:x",
        " ",
        "~",
        "%2e%2e",
        "…",
        "..a",
        "a..",
        "\ud800",
        "\n",
    ]
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "secret.txt").write_text("secret")
    root = tmp_path_factory.mktemp("root")
    (root / "a").mkdir()
    (root / "a" / "inside").symlink_to(root / "a")
    (root / "out").symlink_to(outside)
    (root / "secret.png").symlink_to(outside / "secret.txt")
    (root / "loop").symlink_to(root / "loop")
    return root


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "a/../../x",
        "..\\x",
        "a\\..\\x",
        "/etc/passwd",
        "\\\\server\\share",
        "\\x",
        "C:\\x",
        "c:x",
        "a/c:/x",
        "a\x00.png",
        "a\n.png",
        "a\x7f",
        "\ud800",
        "a" * 256,
        "/".join(["abc"] * 2000),
        "/".join(["a"] * 101),
        "/".join(["a" * 250] * 16),
    ],
)
def test_refuses(root: Path, name: str) -> None:
    with pytest.raises(UnsafePath):
        paths.resolve(root, name)


@pytest.mark.parametrize("name", ["out/secret.txt", "secret.png", "out", "a/inside/../../out"])
def test_refuses_links_that_leave(root: Path, name: str) -> None:
    with pytest.raises(UnsafePath):
        paths.resolve(root, name)


def test_a_loop_of_links_is_no_crash(root: Path) -> None:
    with suppress(UnsafePath):
        assert not paths.resolve(root, "loop/x").exists()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a/b.png", "a/b.png"),
        ("a\\b.png", "a/b.png"),
        ("./a//b", "a/b"),
        ("", "."),
        ("..a", "..a"),
        ("画.png", "画.png"),
    ],
)
def test_accepts(root: Path, name: str, expected: str) -> None:
    assert paths.resolve(root, name) == root / expected


def test_links_within_the_folder_are_followed(root: Path) -> None:
    assert paths.resolve(root, "a/inside/inside/x") == root / "a/inside/inside/x"


def test_the_folder_itself_may_be_a_link(root: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(root)
    assert paths.resolve(link, "a/b") == link / "a/b"


def test_a_neighbour_with_the_same_beginning_is_outside(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root2").mkdir()
    (tmp_path / "root" / "link").symlink_to(tmp_path / "root2")
    with pytest.raises(UnsafePath):
        paths.resolve(tmp_path / "root", "link")


@given(st.one_of(st.text(max_size=30), st.lists(PIECES, max_size=8).map("".join), st.lists(PIECES).map("/".join)))
def test_whatever_the_name_the_path_stays_inside(root: Path, name: str) -> None:
    try:
        path = paths.resolve(root, name)
    except UnsafePath:
        return
    real_root = os.path.realpath(root)
    assert os.path.commonpath([real_root, os.path.realpath(path)]) == real_root
    path.exists()  # no exception: the system takes the name
