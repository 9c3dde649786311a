"""How an exception of a node is told: its name, its message, and a traceback without this machine's folders."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Collection, Mapping, Sequence
from pathlib import PurePath
from typing import Any

from inglenook.engine.secrets import redact
from inglenook.engine.values import summary, well_formed

_MESSAGE_LIMIT = 10_000
_FRAME_LIMIT = 100
_VALUES_LIMIT = 20
_ENGINE = PurePath(__file__).parent
_PACKAGE_PARENT = _ENGINE.parent.parent
_MARKERS = ("site-packages", "dist-packages", "custom_nodes")

OUT_OF_MEMORY_HINT = (
    "The device ran out of memory. Models are unloaded now; if it happens again, use a smaller image, fewer images at"
    " once, or a smaller model."
)


def exception_name(error: BaseException) -> str:
    """`ValueError`, `torch.OutOfMemoryError`: the qualified name, without `builtins`."""
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return well_formed(name)


def exception_message(error: BaseException, secrets: Sequence[str] = ()) -> str:
    """The exception's text without secrets, ending in a newline, with a hint when memory ran out."""
    try:
        text = str(error)
    except Exception:
        text = "(the exception has no readable text)"
    text = redact(text, secrets)
    if len(text) > _MESSAGE_LIMIT:
        text = f"{text[:_MESSAGE_LIMIT]}... ({len(text)} characters)"
    hint = f"\n{OUT_OF_MEMORY_HINT}\n" if is_out_of_memory(error) else "\n"
    return well_formed(text) + hint


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out: MemoryError, or torch's errors, known by name and text since torch is not imported."""
    if isinstance(error, MemoryError) or any(kind.__name__ == "OutOfMemoryError" for kind in type(error).__mro__):
        return True
    return isinstance(error, RuntimeError) and "out of memory" in str(error).lower()


def forget(error: BaseException) -> None:
    """Let go of everything that the exception's frames hold, so that its memory can be freed."""
    following: BaseException | None = error
    while following is not None:
        if following.__traceback__ is not None:
            traceback.clear_frames(following.__traceback__)
        following.__traceback__ = None
        following = following.__context__


def exception_traceback(error: BaseException, secrets: Sequence[str] = ()) -> list[str]:
    """The frames from the node's own code on, paths cut to the package or pack, without secrets."""
    frames = list(traceback.extract_tb(error.__traceback__))
    own = [index for index, frame in enumerate(frames) if PurePath(frame.filename).parent == _ENGINE]
    start = 0
    while start in own and start + 1 < len(frames):
        start += 1
    frames = frames[start:]
    if len(frames) > _FRAME_LIMIT:
        frames = frames[: _FRAME_LIMIT // 2] + frames[-_FRAME_LIMIT // 2 :]
    lines = [*map(_line, frames), *_syntax_error_lines(error)]
    return [well_formed(redact(line, secrets)) for line in lines]


def _line(frame: traceback.FrameSummary) -> str:
    text = f'  File "{cut_path(frame.filename)}", line {frame.lineno}, in {frame.name}\n'
    return f"{text}    {frame.line}\n" if frame.line else text


def _syntax_error_lines(error: BaseException) -> list[str]:
    """Where a file that cannot be parsed is wrong: it has no frame of its own."""
    if not isinstance(error, SyntaxError) or error.filename is None:
        return []
    code = f"    {error.text.strip()}\n" if error.text else ""
    return [f'  File "{cut_path(error.filename)}", line {error.lineno}\n{code}']


def cut_path(filename: str) -> str:
    """A source file's path from its package or node pack on; of other files the name alone."""
    path = PurePath(filename)
    parts = path.parts
    for marker in _MARKERS:
        if marker in parts:
            index = len(parts) - 1 - parts[::-1].index(marker)
            return "/".join(parts[index if marker == "custom_nodes" else index + 1 :])
    for root in (_PACKAGE_PARENT, PurePath(sys.base_prefix) / "lib"):
        if path.is_relative_to(root):
            return path.relative_to(root).as_posix()
    return path.name


def input_summary(
    inputs: Mapping[str, Sequence[Any]], hidden: Collection[str] = (), secrets: Sequence[str] = ()
) -> dict[str, list[Any]]:
    """The inputs of a failed node for `current_inputs`: scalars, and short texts of everything else.

    Hidden inputs are left out: they are the whole workflow, or tokens.
    """
    return {
        name: [_summary(value, secrets) for value in values[:_VALUES_LIMIT]]
        for name, values in inputs.items()
        if name not in hidden
    }


def _summary(value: Any, secrets: Sequence[str]) -> Any:
    told = summary(redact(value, secrets) if isinstance(value, str) else value)  # before a long text is cut
    return redact(told, secrets) if isinstance(told, str) else told
