"""Which packs are found."""

import os
from pathlib import Path

from inglenook.packs.discovery import find_packs


def test_what_may_not_be_looked_into_is_no_pack(tmp_path, monkeypatch):
    for name in ("lost+found", "good"):
        (tmp_path / name).mkdir()
    (tmp_path / "good" / "__init__.py").touch()
    is_file = Path.is_file

    def refusing(path):
        if path.parent.name == "lost+found":  # as for who is not root
            raise PermissionError(13, "Permission denied")
        return is_file(path)

    monkeypatch.setattr(Path, "is_file", refusing)
    assert [pack.name for pack in find_packs([tmp_path])] == ["good"]


def test_a_name_that_is_no_unicode_is_told_as_one_that_is(tmp_path):
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/pack\xff.py")).touch()
    (pack,) = find_packs([tmp_path])
    assert pack.name == "pack\ufffd"
    assert pack.path.is_file()


def test_of_two_packs_with_one_name_the_first_is_taken(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder / "pack").mkdir(parents=True)
        (tmp_path / folder / "pack" / "__init__.py").touch()
    (tmp_path / "a" / "pack.py").touch()
    (pack,) = find_packs([tmp_path / "a", tmp_path / "b"])
    assert pack.path == tmp_path / "a" / "pack"
