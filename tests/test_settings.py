"""Folders of the settings."""

from pathlib import Path

import pytest

from inglenook.settings import Settings


def test_the_temp_folder_is_never_one_that_holds_other_files(tmp_path: Path) -> None:
    (tmp_path / "own.txt").write_text("mine")
    settings = Settings(base_directory=tmp_path / "base", temp_directory=tmp_path)
    assert settings.temp_folder == tmp_path / "temp"
    assert Settings(base_directory=tmp_path).temp_folder == tmp_path / "temp"


def test_a_given_folder_named_temp_is_not_the_one_that_is_emptied(tmp_path: Path) -> None:
    assert Settings(temp_directory=tmp_path / "temp").temp_folder == tmp_path / "temp" / "temp"
    assert Settings(temp_directory=tmp_path / "temp" / "temp").temp_folder == tmp_path / "temp" / "temp" / "temp"


@pytest.mark.parametrize("given", [None, Path("own"), Path("temp")])
def test_another_process_has_the_same_settings(tmp_path: Path, given: Path | None) -> None:
    settings = Settings(
        base_directory=tmp_path / "base", temp_directory=given and tmp_path / given, allowed_hosts=("a", "b")
    )
    assert Settings.from_resolved(settings.model_dump_json().encode()) == settings
