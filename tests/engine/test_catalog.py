"""The catalog fills in lists and shows classes as `/object_info` does."""

from __future__ import annotations

from collections.abc import Sequence

from inglenook.engine.catalog import Catalog
from inglenook.engine.schema import ChoiceSource
from tests.engine.toys import catalog, document

DOCUMENTS = {
    "Loader": {
        "input": {
            "required": {"name": [{"files": "checkpoints"}, {"tooltip": "t"}]},
            "optional": {"vae": ["COMBO", {"options": {"files": "vae", "extra": ["pixel_space"]}}]},
            "hidden": {"names": "PROMPT"},
        },
        "output": ["MODEL"],
        "engine": {"not_idempotent": True},
    },
    "Plain": document({"x": ["INT", {"default": 1}]}, output=["INT"]),
}


def test_object_info_fills_lists_and_hides_what_is_ours() -> None:
    info = catalog(DOCUMENTS, checkpoints=["a", "b"], vae=["v"]).object_info()
    assert info["Loader"]["input"]["required"]["name"] == [["a", "b"], {"tooltip": "t"}]
    assert info["Loader"]["input"]["optional"]["vae"] == ["COMBO", {"options": ["v", "pixel_space"]}]
    assert info["Loader"]["input"]["hidden"] == {"names": "PROMPT"}
    assert all("engine" not in definition for definition in info.values())


def test_object_info_of_one_class_and_of_an_unknown_one() -> None:
    shown = catalog(DOCUMENTS)
    assert list(shown.object_info("Plain")) == ["Plain"]
    assert shown.object_info("Nothing") == {}


def test_lists_are_asked_for_when_they_are_needed() -> None:
    files = ["a"]
    shown = Catalog.from_documents(DOCUMENTS, lambda _: files, lambda *_: True)
    files.append("b")
    assert shown.object_info("Loader")["Loader"]["input"]["required"]["name"][0] == ["a", "b"]


def test_list_that_cannot_be_made_is_empty() -> None:
    def broken(source: ChoiceSource) -> Sequence[str]:
        raise FileNotFoundError(source.key)

    shown = Catalog.from_documents(DOCUMENTS, broken, lambda *_: True)
    assert shown.object_info("Loader")["Loader"]["input"]["required"]["name"][0] == []


def test_class_with_an_unreadable_interface_is_left_out() -> None:
    broken = {"Broken": {"input": {"required": {"x": [{"what": 1}]}}}, "Worse": {"input": 5}}
    shown = catalog({**DOCUMENTS, **broken})
    assert set(shown) == {"Loader", "Plain"}


def test_file_check_is_false_for_what_is_no_name() -> None:
    def strict(value: str, kind: str) -> bool:
        if "\0" in value:
            raise ValueError("embedded null byte")
        return bool(kind)

    shown = Catalog.from_documents({}, lambda _: (), strict)
    assert shown.file_exists("a.png", "image")
    for value in ("a\0b", None, 5, {}, ["a"]):
        assert not shown.file_exists(value, "image")
