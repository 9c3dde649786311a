"""What a running node can reach: progress, previews, interruption.

The executor sets the context around each node call; code that a node calls uses the functions below and needs no
argument handed down. Outside a run they do nothing, so that the same code serves scripts and tests.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from dataclasses import dataclass, field

from inglenook.engine.events import AnyEvent, ImageSent, NodeRef, Picture, Progress


class InterruptProcessing(BaseException):
    """The run was asked to stop. A BaseException, so that a node's `except Exception` does not swallow it."""


@dataclass(frozen=True, slots=True)
class NodeContext:
    """The run and the node that is being executed."""

    job_id: str
    node: NodeRef
    emit: Callable[[AnyEvent], None]
    is_interrupted: Callable[[], bool]
    preview_method: str | None = None
    """This run's own choice (`none`, `auto`, `latent2rgb`, `taesd`), or None for the server's."""
    call_index: int = 0
    """Which call this is of a node that maps over lists."""
    graph_numbers: Iterator[int] = field(default_factory=itertools.count, repr=False, compare=False)
    """Numbers for the graphs that this call makes."""


_current: ContextVar[NodeContext | None] = ContextVar("inglenook_node", default=None)


def current() -> NodeContext | None:
    """The node that is being executed in this thread or task, or None outside a run."""
    return _current.get()


def enter(context: NodeContext) -> Token[NodeContext | None]:
    """Make `context` the current one until `leave`; cheaper than `running`, for the executor."""
    return _current.set(context)


def leave(token: Token[NodeContext | None]) -> None:
    """Bring back the context before `enter`."""
    _current.reset(token)


@contextmanager
def running(context: NodeContext) -> Iterator[NodeContext]:
    """Make `context` the current one."""
    token = enter(context)
    try:
        yield context
    finally:
        leave(token)


_LONG_ID = 100


def expansion_prefix(graph_index: int = 0) -> str:
    """What the ids of nodes begin with that the current node expands into: `<node id>.<call>.<graph>.`

    Equal in every run, and new in this one. Deep inside a loop the id is shortened to the submitted one and a digest,
    so that a thousand iterations do not make ids of a thousand parts. Empty outside a run.
    """
    context = _current.get()
    if context is None:
        return ""
    node_id = context.node.node_id
    if len(node_id) > _LONG_ID:
        digest = hashlib.blake2b(node_id.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
        node_id = f"{context.node.real_id}.{digest}"
    return f"{node_id}.{context.call_index}.{graph_index}."


def next_expansion_prefix() -> str:
    """The prefix of the next graph that the current call makes. Empty outside a run."""
    context = _current.get()
    return "" if context is None else expansion_prefix(next(context.graph_numbers))


def check_interrupted() -> None:
    """Raise InterruptProcessing when the run was asked to stop."""
    context = _current.get()
    if context is not None and context.is_interrupted():
        raise InterruptProcessing


def progress(value: float, total: float, *, preview: tuple[bytes, str] | None = None) -> None:
    """Report progress of the current node; `preview` is an encoded picture and its media type.

    Raises InterruptProcessing when the run was asked to stop.
    """
    context = _current.get()
    if context is None:
        return
    check_interrupted()
    picture = None if preview is None else Picture(*preview)
    context.emit(Progress(context.node, _number(value), _number(total), picture))


def _number(value: float) -> float:
    """An int or float as it is; numbers of other libraries as a float, so that they can be sent."""
    return value if type(value) in (int, float) else float(value)


def send_image(image: bytes, media_type: str) -> None:
    """Send an encoded picture to the client that submitted the job, as a result that is never dropped."""
    context = _current.get()
    if context is not None:
        context.emit(ImageSent(context.node, Picture(image, media_type)))
