"""Outputs and queue entries out of answers as servers give them."""

from __future__ import annotations

from inglenook.client import HistoryEntry, Outputs, Queue, UploadedFile


def test_each_file_is_listed_once_and_what_is_no_file_not() -> None:
    file = {"filename": "v.mp4", "subfolder": "video", "type": "output"}
    outputs = Outputs(
        "p", {"1": {"images": [file], "videos": [file], "animated": [True]}, "2": {"text": ["hello"], "result": [None]}}
    )
    assert [(item.node, item.filename, item.subfolder) for item in outputs.files] == [("1", "v.mp4", "video")]
    assert outputs.text == ("hello",)


def test_the_queue_is_in_the_order_of_running() -> None:
    queue = Queue.from_json({"queue_running": [], "queue_pending": [[2, "b", {}, {}, []], [-1, "a", {}, {}, [], {}]]})
    assert [entry.prompt_id for entry in queue.pending] == ["a", "b"]
    assert "b" in queue
    assert "c" not in queue


def test_a_history_entry_with_parts_missing_is_read() -> None:
    entry = HistoryEntry.from_json("p", {"outputs": {"9": {"images": []}}})
    assert entry.completed
    assert dict(entry.outputs) == {"9": {"images": []}}


def test_an_upload_elsewhere_is_named_with_its_folder() -> None:
    answer = {"name": "a.png", "subfolder": "x", "type": "temp"}
    assert UploadedFile.from_json(answer).reference == "x/a.png [temp]"
