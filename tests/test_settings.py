"""Folders of the settings."""

from pathlib import Path

from inglenook.settings import Settings


def test_the_temp_folder_is_never_one_that_holds_other_files(tmp_path: Path) -> None:
    (tmp_path / "own.txt").write_text("mine")
    settings = Settings(base_directory=tmp_path / "base", temp_directory=tmp_path)
    assert settings.temp_folder == tmp_path / "temp"
    assert Settings.model_validate_json(settings.model_dump_json()).temp_folder == tmp_path / "temp"
    assert Settings(base_directory=tmp_path).temp_folder == tmp_path / "temp"
