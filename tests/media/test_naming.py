"""Results get the next number of their prefix, whole, and never take the place of another file."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from inglenook.errors import DiskFull, MediaError, UnsafePath
from inglenook.media import naming, writing
from inglenook.media.folders import Folders
from inglenook.media.naming import FileRef, write_output
from inglenook.settings import Settings


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    return Folders.from_settings(Settings(base_directory=tmp_path))


@pytest.fixture(params=[True, False], ids=["unnamed", "hidden"])
def _each_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "_HAS_UNNAMED_FILES", request.param and writing._HAS_UNNAMED_FILES)


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def save(folders: Folders, prefix: str = "ComfyUI", data: bytes = b"data", **options: int) -> FileRef:
    return write_output(folders, "output", prefix, "png", data, **options)


@pytest.mark.usefixtures("_each_way")
def test_numbers_count_up_from_the_highest_there_is(folders: Folders) -> None:
    folders.output.mkdir()
    for name in ("ComfyUI_00007_.png", "ComfyUI_temp_00099_.png", "ComfyUI_00012_.webp", "ComfyUI_x.png"):
        (folders.output / name).touch()
    assert save(folders) == FileRef("ComfyUI_00013_.png", "", "output")
    assert save(folders).filename == "ComfyUI_00014_.png"
    assert (folders.output / "ComfyUI_00013_.png").read_bytes() == b"data"
    assert save(folders, "ComfyUI_temp").filename == "ComfyUI_temp_00100_.png"


@pytest.mark.usefixtures("_each_way")
def test_a_taken_name_is_never_overwritten(folders: Folders) -> None:
    assert save(folders).filename == "ComfyUI_00001_.png"
    others = range(2, 60)
    for number in others:
        (folders.output / f"ComfyUI_{number:05}_.png").write_bytes(b"other")
    assert save(folders).filename == "ComfyUI_00060_.png"
    assert all((folders.output / f"ComfyUI_{number:05}_.png").read_bytes() == b"other" for number in others)


@pytest.mark.usefixtures("_each_way")
def test_nothing_else_is_left_in_the_folder(folders: Folders) -> None:
    save(folders)
    assert files(folders.output) == ["ComfyUI_00001_.png"]


def test_prefixes_with_folders_and_placeholders(folders: Folders) -> None:
    assert save(folders, "a/b\\c") == FileRef("c_00001_.png", "a/b", "output")
    assert (folders.output / "a" / "b" / "c_00001_.png").is_file()
    day = time.strftime("%Y-%m-%d")
    file = save(folders, "%year%-%month%-%day%/%width%x%height%", width=64, height=32)
    assert file == FileRef("64x32_00001_.png", day, "output") or time.strftime("%Y-%m-%d") != day
    assert save(folders, "").filename == "ComfyUI_00001_.png"
    assert save(folders, "sub/").filename == "sub_00001_.png"


def test_pictures_of_a_batch_share_the_numbers_of_their_prefix(folders: Folders) -> None:
    names = [save(folders, "x_%batch_num%", batch_number=number).filename for number in range(3)]
    assert names == ["x_0_00001_.png", "x_1_00002_.png", "x_2_00003_.png"]
    naming._numbers = naming._Numbers()
    assert save(folders, "x_%batch_num%").filename == "x_0_00004_.png"


@pytest.mark.parametrize("prefix", ["../x", "/tmp/x", "a/../../x", "x\x00", "C:/x", "..\\x", "%width%/../../x"])
def test_a_prefix_that_leaves_the_folder_is_refused(folders: Folders, prefix: str) -> None:
    with pytest.raises(UnsafePath):
        save(folders, prefix)


def test_a_linked_folder_that_leaves_is_refused(folders: Folders, tmp_path: Path) -> None:
    folders.output.mkdir()
    (tmp_path / "outside").mkdir()
    (folders.output / "link").symlink_to(tmp_path / "outside")
    with pytest.raises(UnsafePath):
        save(folders, "link/x")
    assert files(tmp_path / "outside") == []


def test_too_long_a_name_is_a_clear_error(folders: Folders) -> None:
    with pytest.raises(MediaError, match=r"cannot write into .*too long"):
        save(folders, "x" * 250)


def test_a_failed_write_leaves_no_file(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int, _data: object) -> int:
        raise OSError(28, "No space left on device")

    save(folders)
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(DiskFull, match="No space left"):
            save(folders)
    assert files(folders.output) == ["ComfyUI_00001_.png"]


def test_a_folder_removed_meanwhile_is_made_again(folders: Folders) -> None:
    save(folders)
    (folders.output / "ComfyUI_00001_.png").unlink()
    folders.output.rmdir()
    assert (folders.output / save(folders).filename).is_file()


SAVE_MANY = """
import sys
from pathlib import Path
from inglenook.media.folders import Folders
from inglenook.media.naming import write_output
from inglenook.settings import Settings

folders = Folders.from_settings(Settings(base_directory=Path(sys.argv[1])))
for _ in range(60):
    print(write_output(folders, "output", "ComfyUI", "png", b"data").filename)
"""


def test_processes_that_share_a_folder_never_share_a_name(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SAVE_MANY, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) for _ in range(3)]
    names = [name for process in processes for name in process.communicate(timeout=60)[0].split()]
    assert len(set(names)) == 180
    assert sorted(names) == files(tmp_path / "output")
