"""`PromptServer` for node packs: routes, messages to clients and a look at the queue, inside the device process.

There is no server in this process. Routes are served on a Unix socket (`route_server`) to which the API process
forwards, messages leave through the host (`host`), and binary events become those of the engine (`engine.context`).
"""

from __future__ import annotations

import asyncio
import copy
import enum
import inspect
import logging
import struct
from collections.abc import Callable
from typing import Any

from aiohttp import web

from inglenook.engine import context
from inglenook.engine.events import NodeRef, Text
from inglenook.engine.values import plain, well_formed
from inglenook.errors import NodeError
from inglenook.packs.host import host
from inglenook.packs.pictures import encode_preview
from inglenook.packs.prompt_queue import PromptQueue
from inglenook.packs.surface_finder import missing

logger = logging.getLogger(__name__)

OnPrompt = Callable[[dict[str, Any]], dict[str, Any]]

_missing = missing("server.PromptServer")
_NO_SIZE_LIMIT = 0
"""For bodies of requests: the API process has limited them already."""


class BinaryEventTypes(enum.IntEnum):
    """Numbers of binary messages, which packs give in place of an event's name."""

    PREVIEW_IMAGE = 1
    """Four bytes for the type (1 JPEG, 2 PNG), then the encoded picture."""
    UNENCODED_PREVIEW_IMAGE = 2
    """`(format, PIL image, longest side or None)`."""
    TEXT = 3
    """Four bytes for the length of a node id, the id, the text."""
    PREVIEW_IMAGE_WITH_METADATA = 4
    """`((format, PIL image, longest side or None), metadata)`; the metadata are those of the running node."""


class _FirstAccess:
    """Makes the instance when it is first asked for, and gives its place in the class to it."""

    def __get__(self, _: object, owner: type[PromptServer]) -> PromptServer:
        made = PromptServer()
        type.__setattr__(PromptServer, "instance", made)
        return made


class PromptServer:
    """What packs find as `server.PromptServer.instance`."""

    __module__ = "server"
    """Packs ask in which file the class stands, to find the folder of ComfyUI: the base folder then."""

    instance = _FirstAccess()
    address: str = "127.0.0.1"
    port: int = 8188
    """Where the API process listens; the device process sets both before packs are imported."""

    def __init__(self) -> None:
        self.routes = web.RouteTableDef()
        """Served bare and under `/api`."""
        self.app = web.Application(client_max_size=_NO_SIZE_LIMIT)
        """Its own routes are served as they are."""
        self.prompt_queue = PromptQueue()
        self.on_prompt_handlers: list[OnPrompt] = []
        self.supports = ["custom_nodes_from_web"]
        """Scripts of packs are served from their own folders: packs that do not find this word copy theirs."""
        self.number = 0
        self._last_node_id: str | None = None
        self._last_prompt_id: str | None = None

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The event loop on which routes run, in a thread of its own."""
        return host().loop

    # -- the current run ---------------------------------------------------------------------------------------------

    @property
    def client_id(self) -> str | None:
        """Who submitted the job that runs now."""
        return host().client_id

    @client_id.setter
    def client_id(self, value: str | None) -> None:
        host().client_id = value

    @property
    def last_node_id(self) -> str | None:
        """The node that is being executed in this thread, as the user sees it, else what was assigned last."""
        current = context.current()
        return self._last_node_id if current is None else current.node.display_id

    @last_node_id.setter
    def last_node_id(self, value: str | None) -> None:
        self._last_node_id = value

    @property
    def last_prompt_id(self) -> str | None:
        """The job that runs now, else what was assigned last."""
        current = context.current()
        running = host().job_id if current is None else current.job_id
        return self._last_prompt_id if running is None else running

    @last_prompt_id.setter
    def last_prompt_id(self, value: str | None) -> None:
        self._last_prompt_id = value

    def get_queue_info(self) -> dict[str, Any]:
        """The `status` that clients are told, as far as this process knows."""
        return {"exec_info": {"queue_remaining": self.prompt_queue.get_tasks_remaining()}}

    # -- messages ----------------------------------------------------------------------------------------------------

    def send_sync(self, event: str | int, data: Any, sid: str | None = None) -> None:
        """Send a message to one client, or to all without `sid`. Any thread may call it.

        Numbers are BinaryEventTypes: those belong to the node that is being executed; pictures go to whoever submitted
        the job, whatever `sid` says. Raises NodeError for bytes in the data of a named event, ValueError for an unknown
        number.
        """
        if isinstance(event, int):
            self._send_binary(event, data, sid)
        else:
            host().send(well_formed(str(event)), plain(data), None if sid is None else well_formed(str(sid)))

    async def send(self, event: str | int, data: Any, sid: str | None = None) -> None:
        """As `send_sync`."""
        self.send_sync(event, data, sid)

    async def send_json(self, event: str, data: Any, sid: str | None = None) -> None:
        """As `send_sync`, for named events."""
        self.send_sync(event, data, sid)

    async def send_bytes(self, event: int, data: bytes, sid: str | None = None) -> None:
        """As `send_sync`, for binary events."""
        self.send_sync(event, data, sid)

    async def send_image(self, image_data: Any, sid: str | None = None) -> None:
        """Send `(format, PIL image, longest side or None)` as a picture of the node that is being executed."""
        self.send_sync(BinaryEventTypes.UNENCODED_PREVIEW_IMAGE, image_data, sid)

    def send_progress_text(self, text: str | bytes, node_id: str, sid: str | None = None) -> None:
        """Show `text` at a node of the job that runs now, to one client, or to all without `sid`."""
        current = context.current()
        if current is None:
            logger.debug("text for node %s is not sent: no node is being executed in this thread", node_id)
            return
        shown = text.decode("utf-8", "replace") if isinstance(text, (bytes, bytearray)) else str(text)
        name = well_formed(str(node_id))
        node = current.node if name == current.node.node_id else NodeRef(name, name, None, name)
        current.emit(Text(node, well_formed(shown), None if sid is None else well_formed(str(sid))))

    def _send_binary(self, event: int, data: Any, sid: str | None) -> None:
        try:
            kind = BinaryEventTypes(event)
        except ValueError:
            raise ValueError(f"there is no binary event {event}: see server.BinaryEventTypes") from None
        if context.current() is None:
            logger.debug("a %s event is not sent: no node is being executed in this thread", kind.name)
            return
        match kind:
            case BinaryEventTypes.PREVIEW_IMAGE:
                context.send_image(*_typed_picture(data))
            case BinaryEventTypes.UNENCODED_PREVIEW_IMAGE:
                context.send_image(*encode_preview(data))
            case BinaryEventTypes.PREVIEW_IMAGE_WITH_METADATA:
                if not isinstance(data, (tuple, list)) or not data:
                    raise NodeError("a picture with metadata is a tuple of the picture and its metadata")
                context.send_image(*encode_preview(data[0]))
            case BinaryEventTypes.TEXT:
                node_id, text = _addressed_text(data)
                self.send_progress_text(text, node_id, sid)

    # -- prompts -----------------------------------------------------------------------------------------------------

    def add_on_prompt_handler(self, handler: OnPrompt) -> None:
        """Have `handler` see the JSON body of each `POST /prompt`; it returns the body to use."""
        self.on_prompt_handlers.append(handler)

    def trigger_on_prompt(self, json_data: dict[str, Any]) -> dict[str, Any]:
        """The body as the handlers want it, one after another; one that fails changes nothing."""
        for handler in list(self.on_prompt_handlers):
            name = getattr(handler, "__qualname__", repr(handler))
            try:
                answer: Any = handler(copy.deepcopy(json_data))
            except Exception:
                logger.exception("the prompt handler %s failed and is passed over", name)
                continue
            if isinstance(answer, dict):
                json_data = answer
                continue
            logger.error("the prompt handler %s returned %s, not a dict, and is passed over", name, type(answer))
            if inspect.iscoroutine(answer):
                answer.close()
        return json_data

    def __getattr__(self, name: str) -> Any:
        return _missing(name)


def _typed_picture(data: Any) -> tuple[bytes, str]:
    if not isinstance(data, (bytes, bytearray, memoryview)) or len(data) < 5:
        raise NodeError("an encoded picture is bytes: four for its type (1 JPEG, 2 PNG), then the file")
    content = bytes(data)
    (kind,) = struct.unpack_from(">I", content)
    return content[4:], "image/png" if kind == 2 else "image/jpeg"


def _addressed_text(data: Any) -> tuple[str, bytes]:
    content = bytes(data) if isinstance(data, (bytes, bytearray, memoryview)) else b""
    length = struct.unpack_from(">I", content)[0] if len(content) >= 4 else len(content)
    if len(content) < 4 + length:
        raise NodeError("progress text is bytes: four for the length of a node's id, the id, the text")
    return content[4 : 4 + length].decode("utf-8", "replace"), content[4 + length :]
