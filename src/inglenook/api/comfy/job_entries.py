"""Jobs as `/api/jobs` shows them, and which of their outputs stands for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from os.path import splitext
from pathlib import PurePosixPath
from typing import Any

import orjson

from inglenook.api.comfy.entries import shown_outputs, status
from inglenook.api.comfy.messages import execution_end
from inglenook.jobs import FinishedJob, Job, ListedJob, State, extra_json

STATUS = {
    State.queued: "pending",
    State.running: "in_progress",
    State.succeeded: "completed",
    State.failed: "failed",
    State.timed_out: "failed",
    State.cancelled: "cancelled",
}

TEXT_CHARACTERS = 1024
"""How much of a text stands for a job."""

_PREVIEWABLE_KEYS = frozenset({"images", "video", "videos", "audio", "3d", "text"})
_MODEL_SUFFIXES = frozenset({".obj", ".fbx", ".gltf", ".glb", ".usdz"})
_TEXT_SUFFIXES = frozenset({".txt", ".md", ".json"})
_SUFFIXES = _MODEL_SUFFIXES | _TEXT_SUFFIXES
_FOLDERS = ("output", "input", "temp")


@dataclass(frozen=True, slots=True)
class _Item:
    """One thing that a node shows."""

    node_id: str
    key: str
    file: dict[str, Any] | None
    suffix: str = ""
    """Of the name of the file, in lower case, with its dot."""
    text: str = ""

    @property
    def is_text(self) -> bool:
        return self.file is None or self.key == "text" or self.suffix in _TEXT_SUFFIXES

    @property
    def is_previewable(self) -> bool:
        if self.key in _PREVIEWABLE_KEYS or self.suffix in _SUFFIXES:
            return True
        kind = self.file.get("format") if self.file is not None else None
        return isinstance(kind, str) and kind.startswith(("video/", "audio/"))

    def shown(self) -> dict[str, Any]:
        about: dict[str, Any] = {"nodeId": self.node_id, "mediaType": self.key}
        if self.file is not None:
            return {**self.file, **about}
        if len(self.text) > TEXT_CHARACTERS:
            about["truncated"] = True
        return {"content": self.text[:TEXT_CHARACTERS], **about}


def listed_entry(listed: ListedJob) -> bytes:
    """Return a job as a listing has it."""
    message = listed.last_message
    entry = _entry(listed.job, listed.workflow_id, listed.outputs, None if message is None else tuple(message))
    return orjson.dumps(entry, option=orjson.OPT_NON_STR_KEYS)


def whole_entry(job: Job, workflow_id: str | None, finished: FinishedJob | None) -> bytes:
    """Return a job with its workflow and, when it has ended, its outputs and its history's status."""
    result = None if finished is None else finished.result
    has_failed = result is not None and result.state in (State.failed, State.timed_out) and bool(result.messages)
    message = tuple(result.messages[-1]) if result is not None and has_failed else None
    entry = _entry(job, workflow_id, None if result is None else result.outputs, message)
    entry["workflow"] = {"prompt": orjson.Fragment(job.graph), "extra_data": orjson.Fragment(extra_json(job))}
    if result is not None:
        entry["outputs"] = shown_outputs(result)
        entry["execution_status"] = status(job.id, result)
    return orjson.dumps(entry, option=orjson.OPT_NON_STR_KEYS)


def _entry(
    job: Job, workflow_id: str | None, outputs: Mapping[str, Any] | None, message: tuple[Any, ...] | None
) -> dict[str, Any]:
    items = [] if outputs is None else list(_items(outputs))
    files = [item for item in items if item.file is not None]
    entry: dict[str, Any] = {
        "id": job.id,
        "status": STATUS[job.state],
        "priority": job.number,
        "create_time": job.created_ms,
        "outputs_count": len(files),
        "previewable_outputs_count": sum(item.is_previewable for item in files),
    }
    if job.state.is_end:
        chosen = _chosen(items)
        optional = {
            "execution_start_time": job.started_ms,
            "execution_end_time": job.ended_ms,
            "preview_output": None if chosen is None else chosen.shown(),
            "execution_error": None if message is None else execution_end(message[0], message[1], job.id)[1],
        }
        entry |= {name: value for name, value in optional.items() if value is not None}
    if workflow_id is not None:
        entry["workflow_id"] = workflow_id
    return entry


def _chosen(items: list[_Item]) -> _Item | None:
    """The first picture (or sound, or model) among the results, else among previews, else a text file, else a text."""
    visual = [item for item in items if item.is_previewable and not item.is_text]
    saved = [item for item in visual if item.file is not None and item.file.get("type") == "output"]
    text_files = [item for item in items if item.is_text and item.file is not None and item.is_previewable]
    texts = [item for item in items if item.file is None]
    return next(iter((*saved, *visual, *text_files, *texts)), None)


def _items(outputs: Mapping[str, Any]) -> Iterator[_Item]:
    """What the nodes of a run show. A string counts as a file only when it names a 3D model."""
    for node_id, output in outputs.items():
        for key, values in output.items() if isinstance(output, dict) else ():
            if key == "animated" or not isinstance(values, list):
                continue
            for value in values:
                if isinstance(value, dict):
                    yield _Item(node_id, key, value, _suffix(value.get("filename")))
                elif isinstance(value, str):
                    model = _named_model(value)
                    if model is not None:
                        yield _Item(node_id, "3d", model, _suffix(model["filename"]))
                    elif key == "text":
                        yield _Item(node_id, key, None, text=value)


def _suffix(name: object) -> str:
    # Not by a path object: for a hundred jobs these alone took 1 ms.
    return splitext(name)[1].lower() if isinstance(name, str) else ""  # noqa: PTH122


def _named_model(text: str) -> dict[str, str] | None:
    """The file object of a string such as `3d/cube.glb [temp]`, None unless it names a 3D model."""
    name, folder = text, "output"
    for kind in _FOLDERS:
        if text.endswith(f" [{kind}]"):
            name, folder = text.removesuffix(f" [{kind}]"), kind
    if "\n" in name or _suffix(name) not in _MODEL_SUFFIXES:
        return None
    path = PurePosixPath(name.replace("\\", "/"))
    subfolder = "" if str(path.parent) == "." else str(path.parent)
    return {"filename": path.name, "subfolder": subfolder, "type": folder}


def workflow_of(job: Job) -> str | None:
    """The id of the UI workflow that a job was made from."""
    value: Any = job.all_extra_data()
    for key in ("extra_pnginfo", "workflow", "id"):
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, str) else None
