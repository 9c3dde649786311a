"""Which ids name a folder of a user, and which would lead to what is the server's own."""

import json

import pytest

from inglenook.errors import UnsafePath
from inglenook.media.users import UserRefused, Users


@pytest.fixture
def base(tmp_path):
    (tmp_path / "user/inglenook").mkdir(parents=True)
    return tmp_path


@pytest.fixture
def users(base):
    return Users(base / "user", base / "user/inglenook")


@pytest.mark.parametrize(
    "user_id", ["", ".", "..", "../user", "a/b", "a\\b", "a\0", "\ud800", "__x", "inglenook", "INGLENOOK", "x" * 300]
)
def test_an_id_that_names_no_folder_of_a_user(users, user_id):
    with pytest.raises(UnsafePath):
        users.files(user_id)
    assert not users.knows(user_id)


def test_a_link_to_the_data_folder_is_no_folder_of_a_user(users, base):
    (base / "user/ann").symlink_to(base / "user/inglenook")
    with pytest.raises(UnsafePath):
        users.files("ann")


def test_the_folder_of_a_user_may_be_a_link_to_elsewhere(users, base):
    (base / "elsewhere").mkdir()
    (base / "user/default").symlink_to(base / "elsewhere")
    users.files("default").write("a/b.json", b"1", overwrite=False)
    assert (base / "elsewhere/a/b.json").read_bytes() == b"1"


@pytest.mark.parametrize("data_folder", ["", "user"])
def test_folders_of_users_may_lie_in_the_data_folder(base, data_folder):
    users = Users(base / "user", base / data_folder)
    users.files("default").write("a.json", b"1", overwrite=True)
    assert [entry.path for entry in users.files("default").listing("", recurse=True)] == ["a.json"]


def test_users_that_somebody_else_wrote_into_the_file_are_known_soon(users, base, monkeypatch):
    assert users.names() == {}
    (base / "user/users.json").write_text(json.dumps({"ann_1": "Ann"}))
    monkeypatch.setattr("inglenook.media.users._LOOK_AGAIN_S", -1.0)
    assert users.names() == {"ann_1": "Ann"}
    assert users.knows("ann_1")


def test_a_user_who_was_added_or_removed_is_known_at_once(users):
    user_id = users.add("ann")
    assert users.knows(user_id)
    assert Users.names(users) == {user_id: "ann"}
    assert users.remove(user_id)
    assert not users.knows(user_id)


def test_the_files_of_a_user_outlive_the_user(users, base):
    user_id = users.add("ann")
    users.files(user_id).write("a", b"1", overwrite=True)
    users.remove(user_id)
    assert (base / "user" / user_id / "a").exists()


def test_the_default_user_is_always_there(users):
    assert users.knows("default")
    with pytest.raises(UserRefused):
        users.remove("default")
