"""Names of stored workflows."""

import pytest

from inglenook.workflows.names import WorkflowNameError, workflow_name


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("portrait.json", "portrait.json"),
        ("portrait", "portrait.json"),
        ("portrait.png", "portrait.json"),
        ("Clip.MP4", "Clip.json"),
        (" 人像 写真.json ", "人像 写真.json"),
        ("v1.5", "v1.5.json"),
        ("e\u0301.json", "\u00e9.json"),
        ("x" * 195 + ".json", "x" * 195 + ".json"),
    ],
)
def test_a_name_is_kept_as_a_json_file_name(given: str, stored: str) -> None:
    assert workflow_name(given) == stored


@pytest.mark.parametrize(
    "name",
    ["", " ", ".json", "..", "../a.json", "a/b.json", "a\\b.json", "/a.json", "C:a.json", "a\0.json", "a\n.json",
     ".hidden.json", "a\u202ejson", "a\ud800.json", "x" * 196 + ".json", "x" * 100_000, "a?.json", "<a>.json"],
)  # fmt: skip
def test_paths_and_hidden_characters_are_no_name(name: str) -> None:
    with pytest.raises(WorkflowNameError):
        workflow_name(name)
