"""What the client gives back: files, outputs, history and queue entries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from inglenook.client.errors import InvalidAnswer
from inglenook.client.events import Event, read_event

Graph = Mapping[str, Any]
"""An API-format workflow: node id -> `{"class_type", "inputs", ...}`."""


@dataclass(frozen=True, slots=True)
class OutputFile:
    """A file that a job made, as `/view` finds it."""

    node: str
    kind: str
    """The key it was listed under: `images`, `audio`, `gifs`, `latents`, ..."""
    filename: str
    subfolder: str
    type: str
    """`output` or `temp`."""
    info: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """The whole entry, with what else the node said of it."""


@dataclass(frozen=True, slots=True)
class StreamedImage:
    """A picture that SaveImageWebsocket sent; no file of it is on the server."""

    node: str
    media_type: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Outputs:
    """What a finished job made."""

    prompt_id: str
    nodes: Mapping[str, Mapping[str, Any]]
    """Node id -> what it showed, as in history."""
    streamed: tuple[StreamedImage, ...] = ()

    @property
    def files(self) -> tuple[OutputFile, ...]:
        """Files of all nodes in the order of the server, each once."""
        found = {
            (file.filename, file.subfolder, file.type): file
            for node, output in self.nodes.items()
            for file in _files(node, output)
        }
        return tuple(found.values())

    @property
    def images(self) -> tuple[OutputFile, ...]:
        return tuple(file for file in self.files if file.kind == "images")

    @property
    def text(self) -> tuple[str, ...]:
        """Texts that nodes showed."""
        return tuple(
            item for output in self.nodes.values() for item in _items(output.get("text")) if isinstance(item, str)
        )


def _files(node: str, output: Mapping[str, Any]) -> Iterator[OutputFile]:
    for kind, items in output.items():
        for item in _items(items):
            if isinstance(item, dict) and isinstance(item.get("filename"), str):
                subfolder, place = item.get("subfolder"), item.get("type")
                yield OutputFile(
                    node=node,
                    kind=kind,
                    filename=item["filename"],
                    subfolder=subfolder if isinstance(subfolder, str) else "",
                    type=place if isinstance(place, str) else "output",
                    info=item,
                )


def _items(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else ()


@dataclass(frozen=True, slots=True)
class Submission:
    """An accepted job."""

    prompt_id: str
    number: float
    """Its place: smaller runs first."""
    node_errors: Mapping[str, Any]
    """Not empty when outputs with faults were left out and the rest was queued."""

    @classmethod
    def from_json(cls, answer: Any) -> Submission:
        if not isinstance(answer, dict) or answer.get("prompt_id") is None:
            raise InvalidAnswer("/prompt", "there is no prompt_id in it")
        number, node_errors = answer.get("number"), answer.get("node_errors")
        return cls(
            prompt_id=str(answer["prompt_id"]),
            number=number if isinstance(number, (int, float)) else 0,
            node_errors=node_errors if isinstance(node_errors, dict) else {},
        )


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """A finished job as the server remembers it."""

    prompt_id: str
    number: float
    graph: Graph = field(repr=False)
    extra_data: Mapping[str, Any] = field(repr=False)
    outputs: Mapping[str, Mapping[str, Any]]
    status: str
    """`success` or `error`; an interrupted job is an error."""
    completed: bool
    events: tuple[Event, ...] = field(repr=False)
    """Start, cached nodes and end."""
    meta: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    """Node id of an output -> `{"node_id", "display_node", "parent_node", "real_node_id"}`; old servers have none."""

    @classmethod
    def from_json(cls, prompt_id: str, entry: Any) -> HistoryEntry:
        if not isinstance(entry, dict):
            raise InvalidAnswer("/history", f"the entry of {prompt_id} is no object")
        queued = QueueEntry.from_json(entry.get("prompt"))
        status = entry.get("status")
        status = status if isinstance(status, dict) else {}
        messages = [item for item in _items(status.get("messages")) if isinstance(item, list) and len(item) == 2]
        return cls(
            prompt_id=prompt_id,
            number=queued.number,
            graph=queued.graph,
            extra_data=queued.extra_data,
            outputs=_objects(entry.get("outputs")),
            status=str(status.get("status_str", "success")),
            completed=status.get("completed") is not False,
            events=tuple(read_event(str(kind), data) for kind, data in messages),
            meta=_objects(entry.get("meta")),
        )


def _objects(value: Any) -> dict[str, Mapping[str, Any]]:
    """The objects of an object."""
    return {str(key): item for key, item in value.items() if isinstance(item, dict)} if isinstance(value, dict) else {}


@dataclass(frozen=True, slots=True)
class QueueEntry:
    """A job that waits or runs."""

    number: float
    prompt_id: str
    graph: Graph = field(repr=False)
    extra_data: Mapping[str, Any] = field(repr=False)

    @classmethod
    def from_json(cls, item: Any) -> QueueEntry:
        """Read `[number, prompt_id, graph, extra_data, outputs]`; what is missing is empty."""
        number, prompt_id, graph, extra_data = ([*_items(item), None, None, None, None])[:4]
        return cls(
            number=number if isinstance(number, (int, float)) else 0,
            prompt_id="" if prompt_id is None else str(prompt_id),
            graph=graph if isinstance(graph, dict) else {},
            extra_data=extra_data if isinstance(extra_data, dict) else {},
        )


@dataclass(frozen=True, slots=True)
class Queue:
    """What waits and what runs."""

    running: tuple[QueueEntry, ...]
    pending: tuple[QueueEntry, ...]
    """In the order in which they will run."""

    @classmethod
    def from_json(cls, answer: Any) -> Queue:
        if not isinstance(answer, dict) or not {"queue_running", "queue_pending"} <= answer.keys():
            raise InvalidAnswer("/queue", "queue_running or queue_pending is missing")
        running, pending = (
            tuple(sorted(map(QueueEntry.from_json, _items(answer[key])), key=lambda entry: entry.number))
            for key in ("queue_running", "queue_pending")
        )
        return cls(running, pending)

    def __contains__(self, prompt_id: object) -> bool:
        return any(entry.prompt_id == prompt_id for entry in (*self.running, *self.pending))


@dataclass(frozen=True, slots=True)
class FetchedFile:
    """What `fetch` found."""

    size_bytes: int
    etag: str | None
    """The server's name for this content."""
    is_unchanged: bool = False
    """It is the content of the given etag, and was not sent again."""


@dataclass(frozen=True, slots=True)
class CatalogAnswer:
    """`/object_info` as it came."""

    body: bytes = field(repr=False)
    etag: str | None


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """A file in the server's folders."""

    name: str
    subfolder: str
    type: str
    content_hash: str | None = None
    """`blake3:...` of what was stored, from servers with assets."""

    @classmethod
    def from_json(cls, answer: Any) -> UploadedFile:
        if not isinstance(answer, dict) or not isinstance(answer.get("name"), str):
            raise InvalidAnswer("/upload/image", "there is no name in it")
        asset = answer.get("asset")
        stored = asset.get("asset_hash") if isinstance(asset, dict) else None
        return cls(
            answer["name"],
            str(answer.get("subfolder") or ""),
            str(answer.get("type") or "input"),
            stored if isinstance(stored, str) else None,
        )

    @property
    def reference(self) -> str:
        """What LoadImage and the like take: `folder/name.png`."""
        path = f"{self.subfolder}/{self.name}" if self.subfolder else self.name
        return path if self.type == "input" else f"{path} [{self.type}]"
