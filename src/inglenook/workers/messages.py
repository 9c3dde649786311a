"""The messages between the API process and a device process, and their one encoding.

A frame is four bytes of length (big-endian) and a msgpack body: a tagged struct. Only numbers, strings, bytes and plain
containers cross; tensors stay in the device process. First message down: Configure; first message up: Ready.
"""

from __future__ import annotations

import struct
from typing import Any

import msgspec

from inglenook.engine.events import AnyEvent
from inglenook.engine.replacement import NodeReplacement
from inglenook.engine.validators import ValidatorCall
from inglenook.packs.report import PackReport

_LENGTH = struct.Struct(">I")
MAX_FRAME_BYTES = 1 << 30


class Message(msgspec.Struct, frozen=True, tag=True):
    """Base of all messages."""


class Configure(Message, frozen=True, tag=True):
    """How the process is set up; `settings` is the server's Settings as JSON."""

    settings: bytes
    device: str
    """`auto`, `cpu`, `cuda:0`, ..."""
    skipped_packs: dict[str, str] = {}
    """Node packs that are not imported, with the reason: an earlier process died of them."""


class Execute(Message, frozen=True, tag=True):
    """Run a graph. The answer is a stream of Events that ends with the run's end event."""

    job_id: str
    attempt: int
    graph: bytes
    """The API-format graph as JSON."""
    outputs: list[str]
    """Node ids to execute."""
    extra_data: dict[str, Any]
    ask_validators: bool = False
    """Ask the classes' own validators first: they could not be asked when the job was accepted."""


class Interrupt(Message, frozen=True, tag=True):
    """Stop this job if it is the one that runs."""

    job_id: str


class Free(Message, frozen=True, tag=True):
    """Give memory back once the current run has ended."""

    unload_models: bool
    free_memory: bool


class Device(msgspec.Struct, frozen=True):
    """One device as `/system_stats` lists it; sizes in bytes."""

    name: str
    type: str
    index: int | None
    vram_total: int
    vram_free: int
    torch_vram_total: int
    torch_vram_free: int


class ModelFolderAdded(msgspec.Struct, frozen=True):
    """A model folder as a node pack registered it."""

    name: str
    paths: list[str]
    extensions: list[str]


class Ready(Message, frozen=True, tag=True):
    """The process can run graphs."""

    pid: int
    documents: dict[str, Any]
    """Interface documents of every class (`engine.schema`)."""
    devices: list[Device]
    versions: dict[str, str]
    import_seconds: float
    packs: list[PackReport] = []
    replacements: list[NodeReplacement] = []
    """Node classes that packs replace by others."""
    model_folders: list[ModelFolderAdded] = []
    routes_at: str | None = None
    """Path of the Unix socket where the routes of packs are served over HTTP; None when there are none."""
    rewrites_prompts: bool = False
    """Whether packs want to see the body of `POST /prompt` before it is used."""


class Importing(Message, frozen=True, tag=True):
    """A node pack is being imported: if the process dies now, it is to blame."""

    pack: str


class Notice(Message, frozen=True, tag=True):
    """A message of a node pack outside a run: any event name, to one socket or (None) all."""

    name: str
    data: Any
    client_id: str | None = None


class AskValidators(msgspec.Struct, frozen=True, tag=True):
    """Ask the validators of node classes; the answer is `dict[node id, ValidatorAnswer]`."""

    calls: list[ValidatorCall]


class DescribeClasses(msgspec.Struct, frozen=True, tag=True):
    """Describe the node classes of packs anew, since their lists of choices may have changed; the answer is
    `dict[class, interface document]` of those that differ from what was told last."""


class RewritePrompt(msgspec.Struct, frozen=True, tag=True):
    """Show packs the JSON body of a `POST /prompt`; the answer is the body to use."""

    body: bytes


Question = AskValidators | DescribeClasses | RewritePrompt


class Ask(Message, frozen=True, tag=True):
    """A question that is answered beside the run, by an Answer with the same number."""

    number: int
    question: Question


class Answer(Message, frozen=True, tag=True):
    """What `Ask` asked for, as msgpack; None when it could not be answered."""

    number: int
    body: bytes | None


class Events(Message, frozen=True, tag=True):
    """What happened in a job, in order."""

    job_id: str
    attempt: int
    events: list[AnyEvent]


class Stats(Message, frozen=True, tag=True):
    """The devices' memory as it is now; sent after runs, at most once a second, and after Free."""

    devices: list[Device]
    models_loaded: int = 0
    """Networks that are on the device."""
    model_bytes: int = 0
    """Memory that they take."""


Down = Configure | Execute | Interrupt | Free | Ask
Up = Ready | Events | Stats | Importing | Notice | Answer

_encoder = msgspec.msgpack.Encoder()
_down_decoder: msgspec.msgpack.Decoder[Down] = msgspec.msgpack.Decoder(Down)
_up_decoder: msgspec.msgpack.Decoder[Up] = msgspec.msgpack.Decoder(Up)


def encode(message: Down | Up) -> bytes:
    """Return the frame of a message.

    Raises TypeError, ValueError (UnicodeEncodeError) or OverflowError for what cannot be sent, and ValueError for more
    than MAX_FRAME_BYTES.
    """
    body = _encoder.encode(message)
    if len(body) > MAX_FRAME_BYTES:
        raise ValueError(f"{len(body)} bytes at once, {MAX_FRAME_BYTES} are possible")
    return _LENGTH.pack(len(body)) + body


def decode_down(body: bytes | bytearray | memoryview) -> Down:
    """Read the body of a frame to the device process."""
    return _down_decoder.decode(body)


def decode_up(body: bytes | bytearray | memoryview) -> Up:
    """Read the body of a frame from the device process."""
    return _up_decoder.decode(body)


class FrameBuffer:
    """Cuts a byte stream into frame bodies."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Add bytes; return each body that is now complete.

        Raises ValueError when a frame claims to be larger than MAX_FRAME_BYTES.
        """
        self._data += data
        start = 0
        bodies = []
        while len(self._data) - start >= 4:
            (size,) = _LENGTH.unpack_from(self._data, start)
            if size > MAX_FRAME_BYTES:
                raise ValueError(f"a frame of {size} bytes")
            if len(self._data) - start - 4 < size:
                break
            bodies.append(bytes(self._data[start + 4 : start + 4 + size]))
            start += 4 + size
        del self._data[:start]
        return bodies
