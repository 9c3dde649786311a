import os
from pathlib import Path

import pytest

from inglenook.errors import NodeError, UnsafePath


@pytest.fixture
def folder_paths(surface):
    return surface("folder_paths")


@pytest.fixture
def models(tmp_path):
    """A folder beside the base's own with a model and something else in it."""
    folder = tmp_path / "elsewhere"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "one.gguf").write_bytes(b"1")
    (folder / "two.txt").write_bytes(b"2")
    return folder


def test_a_pack_that_assigns_a_model_folder_sees_its_files(folder_paths, folders, models):
    folder_paths.folder_names_and_paths["acme"] = ([str(models)], {".gguf"})
    assert folder_paths.get_filename_list("acme") == ["sub/one.gguf"]
    assert folder_paths.get_full_path("acme", "sub/one.gguf") == str(models / "sub" / "one.gguf")
    assert folder_paths.get_folder_paths("acme") == [str(models)]
    assert folders.list("acme") == ["sub/one.gguf"]
    assert "acme" in folder_paths.folder_names_and_paths


def test_a_pack_that_changes_the_lists_of_a_folder_is_followed(folder_paths, folders, models):
    table = folder_paths.folder_names_and_paths
    places, extensions = table["loras"]
    assert places == [str(folders.base / "models" / "loras")]
    places.append(str(models))
    assert folder_paths.get_filename_list("loras") == []
    extensions.update({".gguf"})
    assert folder_paths.get_filename_list("loras") == ["sub/one.gguf"]
    table["loras"][1].add(".txt")
    assert folders.list("loras") == ["sub/one.gguf", "two.txt"]
    places.insert(0, str(models / "sub"))
    assert folder_paths.get_folder_paths("loras")[0] == str(models / "sub")
    places.remove(str(models))
    assert folder_paths.get_filename_list("loras") == ["one.gguf"]
    del table["loras"][0][:]
    assert folder_paths.get_filename_list("loras") == []


def test_a_list_that_a_pack_kept_holds_what_others_added(folder_paths, models):
    kept = folder_paths.folder_names_and_paths["loras"][0]
    folder_paths.add_model_folder_path("loras", str(models))
    assert folder_paths.folder_names_and_paths["loras"][0] is kept
    assert kept[-1] == str(models)


def test_a_folder_is_added_last_or_first(folder_paths, models):
    own = folder_paths.get_folder_paths("loras")
    folder_paths.add_model_folder_path("loras", str(models))
    assert folder_paths.get_folder_paths("loras") == [*own, str(models)]
    folder_paths.add_model_folder_path("loras", str(models), is_default=True)
    assert folder_paths.get_folder_paths("loras") == [str(models), *own]
    folder_paths.add_model_folder_path("fresh", str(models))
    assert folder_paths.get_filename_list("fresh") == ["sub/one.gguf", "two.txt"]


def test_what_packs_changed_is_reported_once_each(folder_paths, folders, models):
    assert folders.changed_model_folders() == ()
    folder_paths.add_model_folder_path("loras", str(models))
    folder_paths.folder_names_and_paths["acme"] = ([str(models)], [".gguf"])
    folder_paths.add_model_folder_path("loras", str(models))
    loras, acme = folders.changed_model_folders()
    assert (loras.name, loras.paths[-1]) == ("loras", models)
    assert (acme.name, acme.paths, acme.extensions) == ("acme", (models,), {".gguf"})


def test_older_names_of_folders_work(folder_paths):
    assert folder_paths.get_folder_paths("unet") == folder_paths.get_folder_paths("diffusion_models")
    assert folder_paths.map_legacy("clip") == "text_encoders"
    assert folder_paths.folder_names_and_paths["clip"] is folder_paths.folder_names_and_paths["text_encoders"]


def test_unknown_folders_and_entries_are_refused(folder_paths):
    with pytest.raises(KeyError, match="acme"):
        folder_paths.get_filename_list("acme")
    with pytest.raises(KeyError, match="acme"):
        folder_paths.get_folder_paths("acme")
    with pytest.raises(KeyError):
        _ = folder_paths.folder_names_and_paths["acme"]
    assert folder_paths.get_full_path("acme", "x") is None
    with pytest.raises(NodeError, match="acme"):
        folder_paths.folder_names_and_paths["acme"] = "/a/path"


@pytest.mark.parametrize("name", ["../outside.safetensors", "/etc/passwd", "a/../../x", "missing.safetensors", ""])
def test_no_name_leaves_a_model_folder(folder_paths, folders, name):
    (folders.base / "models" / "outside.safetensors").write_bytes(b"")
    assert folder_paths.get_full_path("loras", name) is None
    with pytest.raises(FileNotFoundError):
        folder_paths.get_full_path_or_raise("loras", name)


def test_directories_are_those_of_the_server_and_follow_it(folder_paths, folders, tmp_path):
    assert folder_paths.base_path == str(tmp_path)
    assert folder_paths.models_dir == str(tmp_path / "models")
    assert folder_paths.get_input_directory() == folder_paths.input_directory == str(folders.input)
    assert folder_paths.get_directory_by_type("temp") == str(folders.temp)
    assert folder_paths.get_directory_by_type("somewhere") is None
    folder_paths.set_output_directory(str(tmp_path / "other"))
    assert folder_paths.output_directory == folder_paths.get_output_directory() == str(tmp_path / "other")
    folder_paths.set_input_directory(str(tmp_path / "in"))
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(b"")
    assert folders._input_choices(["image"]) == ["a.png"]


def test_user_folders_stay_below_the_user_folder(folder_paths, folders):
    assert folder_paths.get_public_user_directory("default") == str(folders.user / "default")
    assert folder_paths.get_public_user_directory("__system") is None
    with pytest.raises(UnsafePath):
        folder_paths.get_public_user_directory("../x")
    assert folder_paths.get_system_user_directory("cache") == str(folders.user / "__cache")
    with pytest.raises(ValueError, match="cannot be"):
        folder_paths.get_system_user_directory("../x")


def test_annotated_names(folder_paths, folders, tmp_path):
    (folders.output / "sub").mkdir(parents=True)
    (folders.output / "sub" / "a.png").write_bytes(b"")
    assert folder_paths.get_annotated_filepath("b.png") == str(folders.input / "b.png")
    assert folder_paths.get_annotated_filepath("sub/a.png [output]") == str(folders.output / "sub" / "a.png")
    assert folder_paths.get_annotated_filepath("a.png", str(tmp_path)) == str(tmp_path / "a.png")
    assert folder_paths.exists_annotated_filepath("sub/a.png [output]")
    assert not folder_paths.exists_annotated_filepath("sub/a.png")
    assert not folder_paths.exists_annotated_filepath("../a.png")
    assert folder_paths.annotated_filepath("a.png [temp]") == ("a.png", str(folders.temp))
    assert folder_paths.annotated_filepath("a.png") == ("a.png", None)


@pytest.mark.parametrize("name", ["../x.png", "/etc/passwd", "../../x [output]", "a/../../x.png [temp]"])
def test_no_annotated_name_leaves_its_folder(folder_paths, name):
    with pytest.raises(UnsafePath):
        folder_paths.get_annotated_filepath(name)


def test_results_are_numbered(folder_paths, folders):
    output = folder_paths.get_output_directory()
    folder, name, number, subfolder, prefix = folder_paths.get_save_image_path("a/%width%x%height%", output, 4, 5)
    assert (folder, name, number, subfolder, prefix) == (str(folders.output / "a"), "4x5", 1, "a", "a/4x5")
    Path(folder, f"{name}_{number:05}_.png").write_bytes(b"")
    assert folder_paths.get_save_image_path("a/4x5", output)[2] == 2
    inside = str(folders.output / "b" / "c")
    assert folder_paths.get_save_image_path(inside, output)[:2] == (str(folders.output / "b"), "c")


@pytest.mark.parametrize("prefix", ["../x", "/tmp/x", "a/../../x"])
def test_no_result_leaves_the_output_folder(folder_paths, prefix):
    with pytest.raises(UnsafePath):
        folder_paths.get_save_image_path(prefix, folder_paths.get_output_directory())


@pytest.mark.skipif(os.name == "nt", reason="symbolic links")
def test_no_result_leaves_the_output_folder_through_a_link(folder_paths, folders, tmp_path):
    (folders.output / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UnsafePath):
        folder_paths.get_save_image_path("link/x", folder_paths.get_output_directory())


def test_lists_of_files(folder_paths, folders):
    (folders.input / "a" / "b").mkdir(parents=True)
    (folders.input / "a" / "x.png").write_bytes(b"")
    (folders.input / "y.MP4").write_bytes(b"")
    assert folder_paths.get_input_subfolders() == ["a", "a/b"]
    files, changed = folder_paths.recursive_search(str(folders.input), ["b"])
    assert sorted(files) == [str(Path("a", "x.png")), "y.MP4"]
    assert set(changed) == {str(folders.input), str(folders.input / "a")}
    assert folder_paths.filter_files_extensions(["b.PNG", "a.txt"], {".png"}) == ["b.PNG"]
    assert folder_paths.filter_files_content_types(["a.png", "b.mp4", "c.wav"], ["image", "audio"]) == [
        "a.png",
        "c.wav",
    ]
