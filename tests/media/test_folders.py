"""Listings follow what is on the disk; files are found by the names that workflows give."""

import os
import sys
from pathlib import Path

import pytest

from inglenook.engine.schema import ChoiceSource
from inglenook.errors import MediaError, ModelError, SettingsError, UnsafePath
from inglenook.media.folders import Folders
from inglenook.settings import Settings


def touch(path: Path, content: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def long_ago(folder: Path) -> None:
    """Set the folders' times back, as if nothing had changed for a while."""
    for path in [folder, *folder.rglob("*")]:
        if path.is_dir():
            os.utime(path, (1_000_000_000, 1_000_000_000))


@pytest.fixture
def packaged(tmp_path: Path) -> Path:
    touch(tmp_path / "package" / "a-demo.safetensors")
    return tmp_path / "package"


@pytest.fixture
def folders(tmp_path: Path, packaged: Path) -> Folders:
    return Folders.from_settings(Settings(base_directory=tmp_path / "base"), packaged=packaged)


def test_model_folders_stand_in_comfyuis_order(folders: Folders) -> None:
    assert " ".join(folders.models) == (
        "checkpoints configs loras vae text_encoders diffusion_models clip_vision style_models embeddings diffusers "
        "vae_approx controlnet gligen upscale_models custom_nodes hypernetworks photomaker classifiers model_patches "
        "audio_encoders"
    )


def test_lists_nested_model_files_sorted_and_what_is_packaged_last(folders: Folders) -> None:
    checkpoints = folders.base / "models" / "checkpoints"
    for name in ("z.safetensors", "SDXL/base.ckpt", "SDXL/notes.txt", "b.SAFETENSORS", ".git/x.ckpt"):
        touch(checkpoints / name)
    assert folders.list("checkpoints") == ["SDXL/base.ckpt", "b.SAFETENSORS", "z.safetensors", "a-demo.safetensors"]


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes on Linux only")
def test_a_name_that_is_not_utf8_is_left_out_with_a_warning(folders: Folders, caplog: pytest.LogCaptureFixture) -> None:
    touch(folders.input / "good.png")
    bad = os.fsencode(folders.input) + b"/caf\xe9"
    for path in (bad + b".png", bad + b"2.png"):
        with open(path, "wb"):
            pass
    os.mkdir(bad)  # noqa: PTH102 - a name in bytes
    assert folders.choices(ChoiceSource("input", "image")) == ["good.png"]
    assert folders.choices(ChoiceSource("input", "subfolder")) == []
    folders.state_token()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "caf\\xe9" in caplog.text


def test_an_existing_comfyui_folder_is_found_under_old_and_new_names(folders: Folders) -> None:
    models = folders.base / "models"
    touch(models / "clip" / "old.safetensors")
    touch(models / "text_encoders" / "new.safetensors")
    touch(models / "unet" / "flux.safetensors")
    assert folders.list("text_encoders") == folders.list("clip") == ["new.safetensors", "old.safetensors"]
    assert folders.find("unet", "flux.safetensors") == models / "unet" / "flux.safetensors"


def test_linked_folders_are_listed_and_loops_end(folders: Folders, tmp_path: Path) -> None:
    touch(tmp_path / "elsewhere" / "style.safetensors")
    loras = folders.base / "models" / "loras"
    touch(loras / "own.safetensors")
    (loras / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(loras)
    assert {"linked/style.safetensors", "own.safetensors"} <= set(folders.list("loras"))
    assert folders.find("loras", "linked/style.safetensors").read_bytes() == b"x"


def test_a_new_file_is_listed_at_once_and_changes_the_token(folders: Folders) -> None:
    loras = folders.base / "models" / "loras"
    seen = {folders.state_token()}
    for number in range(20):
        touch(loras / "deep" / f"{number}.safetensors")
        assert f"deep/{number}.safetensors" in folders.list("loras")
        seen.add(folders.state_token())
    assert len(seen) == 21
    (loras / "deep" / "0.safetensors").unlink()
    assert "deep/0.safetensors" not in folders.list("loras")


def test_the_token_stays_while_nothing_changes_and_over_restarts(folders: Folders, tmp_path: Path) -> None:
    touch(folders.base / "models" / "vae" / "v.safetensors")
    token = folders.state_token()
    assert folders.state_token() == token
    again = Folders.from_settings(Settings(base_directory=tmp_path / "base"), packaged=tmp_path / "package")
    assert again.state_token() == token


def test_unchanged_folders_are_not_read_again(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(folders.base / "models" / "loras" / "deep" / "a.safetensors")
    long_ago(folders.base)
    assert folders.list("loras") == ["deep/a.safetensors"]
    monkeypatch.setattr(os, "scandir", lambda path: pytest.fail(f"read {path} again"))
    assert folders.list("loras") == ["deep/a.safetensors"]


def test_find_names_what_is_missing_and_what_is_near(folders: Folders) -> None:
    touch(folders.base / "models" / "checkpoints" / "SD15" / "dreamshaper_8.safetensors")
    with pytest.raises(ModelError, match=r"checkpoints has no file 'dreamshaper_8.safetensors'.*SD15/dreamshaper_8"):
        folders.find("checkpoints", "dreamshaper_8.safetensors")
    with pytest.raises(ModelError, match="Did you mean"):
        folders.find("checkpoints", "SD15/dreamshaper_7.safetensors")
    with pytest.raises(ModelError, match="no model folder 'chekpoints'"):
        folders.find("chekpoints", "x")
    with pytest.raises(ModelError):
        folders.find("checkpoints", "")


def test_find_takes_windows_separators_and_refuses_to_leave(folders: Folders) -> None:
    path = touch(folders.base / "models" / "checkpoints" / "SD15" / "a.safetensors")
    assert folders.find("checkpoints", "SD15\\a.safetensors") == path
    touch(folders.base / "models" / "secret.safetensors")
    with pytest.raises(UnsafePath):
        folders.find("checkpoints", "../secret.safetensors")


def test_extra_model_paths(tmp_path: Path, packaged: Path) -> None:
    file = tmp_path / "config" / "paths.yaml"
    touch(
        file,
        b"""
comfyui:
    base_path: ../shared
    is_default: true
    checkpoints: models/checkpoints
    clip: models/clip
    custom_nodes: custom_nodes
other:
    loras: |
        one
        two
    my_models: mine
nothing:
""",
    )
    settings = Settings(base_directory=tmp_path / "base", extra_model_paths_config=(file,))
    folders = Folders.from_settings(settings, packaged=packaged)
    shared, config = tmp_path / "shared", tmp_path / "config"
    assert folders.models["checkpoints"].paths == (
        shared / "models/checkpoints",
        tmp_path / "base/models/checkpoints",
    )
    assert shared / "models/clip" in folders.models["text_encoders"].paths
    assert folders.models["loras"].paths == (tmp_path / "base/models/loras", config / "one", config / "two")
    assert folders.models["custom_nodes"].paths[0] == shared / "custom_nodes"
    touch(config / "mine" / "any.thing")
    assert folders.list("my_models") == ["any.thing"]


def test_extra_model_paths_of_the_base_folder_are_read_without_asking(tmp_path: Path) -> None:
    touch(tmp_path / "extra_model_paths.yaml", b"a:\n  base_path: /data\n  vae: v\n")
    assert Path("/data/v") in Folders.from_settings(Settings(base_directory=tmp_path)).models["vae"].paths


@pytest.mark.parametrize("content", [b"a: [", b"- a\n- b", b"a: text", b"\xff\xfe\x00"])
def test_a_broken_extra_model_paths_file_is_named(tmp_path: Path, content: bytes) -> None:
    file = touch(tmp_path / "broken.yaml", content)
    with pytest.raises(SettingsError, match=r"broken\.yaml"):
        Folders.from_settings(Settings(base_directory=tmp_path, extra_model_paths_config=(file,)))


def test_choices(folders: Folders) -> None:
    for name in ("b.png", "a.webp", "song.mp3", "clip.mp4", "x.latent", "notes.txt", "sub/c.png", "3d/m/cube.GLB"):
        touch(folders.input / name)
    touch(folders.base / "models" / "vae" / "v.safetensors")
    assert folders.choices(ChoiceSource("input", "image")) == ["a.webp", "b.png"]
    assert folders.choices(ChoiceSource("input", "audio,video")) == ["clip.mp4", "song.mp3"]
    assert folders.choices(ChoiceSource("input", "latent")) == ["x.latent"]
    assert folders.choices(ChoiceSource("input", "3d")) == ["3d/m/cube.GLB"]
    assert folders.choices(ChoiceSource("input", "subfolder")) == ["3d", "sub"]
    assert folders.choices(ChoiceSource("files", "vae")) == ["v.safetensors"]
    assert "karras" in folders.choices(ChoiceSource("names", "schedulers"))
    assert folders.choices(ChoiceSource("files", "no_such_folder")) == []


def test_annotated_names(folders: Folders) -> None:
    touch(folders.output / "sub" / "a.png")
    touch(folders.input / "b.png")
    assert folders.resolve_annotated("sub/a.png [output]") == folders.output / "sub" / "a.png"
    assert folders.input_exists("sub/a.png [output]")
    assert folders.input_exists("b.png")
    assert folders.input_exists("b.png [input]")
    assert not folders.input_exists("b.png [temp]")
    for hostile in ("../b.png", "/etc/passwd", "b.png\x00", "", "sub", 5, None, ["b.png"], "x" * 5000):
        assert not folders.input_exists(hostile)
    with pytest.raises(MediaError, match="use input, output or temp"):
        folders.directory("models")


def test_an_input_that_leads_out_of_the_folder_does_not_exist(folders: Folders, tmp_path: Path) -> None:
    touch(tmp_path / "secret.png")
    folders.input.mkdir(parents=True)
    (folders.input / "link.png").symlink_to(tmp_path / "secret.png")
    assert not folders.input_exists("link.png")


def test_a_model_folder_added_while_running_is_listed_and_found(folders, tmp_path):
    place = tmp_path / "more"
    place.mkdir()
    (place / "a.gguf").write_bytes(b"")
    (place / "b.txt").write_bytes(b"")
    before, token = folders.models, folders.state_token()
    folders.add_model_folder("acme", place, {".gguf"})
    assert folders.list("acme") == ["a.gguf"]
    assert folders.find("acme", "a.gguf") == place / "a.gguf"
    assert "acme" not in before
    assert folders.state_token() != token
    folders.add_model_folder("acme", place, {".txt"})
    assert folders.list("acme") == ["a.gguf", "b.txt"]
    folders.add_model_folder("open", place)
    folders.add_model_folder("open", place, {".txt"})
    assert folders.list("open") == ["a.gguf", "b.txt"]


def test_added_places_come_last_or_first(folders, tmp_path):
    own = folders.models["text_encoders"].paths
    folders.add_model_folder("clip", tmp_path / "last")
    folders.add_model_folder("text_encoders", tmp_path / "first", first=True)
    assert folders.models["text_encoders"].paths == (tmp_path / "first", *own, tmp_path / "last")
    folders.add_model_folder("clip", tmp_path / "last", first=True)
    assert folders.models["text_encoders"].paths == (tmp_path / "last", tmp_path / "first", *own)


def test_changed_model_folders_bring_another_process_up_to_date(folders, tmp_path):
    other = Folders.from_settings(Settings(base_directory=tmp_path / "base"))
    folders.add_model_folder("checkpoints", tmp_path / "more", first=True)
    folders.set_model_folder("acme", [tmp_path / "x"], {".x"})
    folders.add_model_folder("loras", folders.models["loras"].paths[0])
    changed = folders.changed_model_folders()
    assert [folder.name for folder in changed] == ["checkpoints", "acme"]
    for folder in changed:
        other.set_model_folder(folder.name, folder.paths, folder.extensions)
    assert other.models["checkpoints"].paths[0] == tmp_path / "more"
    assert other.models["checkpoints"].packaged
    assert other.models["acme"] == folders.models["acme"]


def test_a_folder_that_moved_lists_its_new_files(folders, tmp_path, caplog):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(b"")
    folders.move("input", tmp_path / "in")
    assert folders.choices(ChoiceSource("input", "image")) == ["a.png"]
    assert folders.input_exists("a.png")
    assert "the input folder is now" in caplog.text
    with pytest.raises(MediaError, match="models"):
        folders.move("models", tmp_path)
