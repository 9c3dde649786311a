"""The program of the process that reads sound and video for the API: tags, and the first picture of a video.

PyAV parses what anybody may have uploaded with a lot of C code. If that crashes or never ends, this process is what is
lost; `api/media_reader.py` starts it at first use, and again after its death.

A request is a line of JSON on standard input, `{"read": "tags" | "poster", "path", "max_pixels", "limit_s"}`. The
answer is a line of JSON, `{"size"}` with that many bytes after it or `{"error"}` with a message, on what was standard
output when it started.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from inglenook.errors import MediaError

_MEMORY_BYTES = 4 << 30
"""Of addresses: a file that makes FFmpeg ask for more is refused."""
_LARGEST_TEXT = 64 << 20


def read_tags(path: Path) -> dict[str, str]:
    """Tag -> text of a file's container and of its streams (Ogg keeps them there); the names in small letters.

    Raises MediaError, FileNotFoundError.
    """
    from inglenook.media import containers

    found: dict[str, str] = {}
    with containers.opened(path) as container:
        for tags in (container.metadata, *(stream.metadata for stream in container.streams)):
            for name, text in tags.items():
                found.setdefault(name.lower(), text)
    if sum(map(len, found.values())) > _LARGEST_TEXT:
        raise MediaError(f"{path.name} has more than {_LARGEST_TEXT >> 20} MB of text")
    return {**_of_video_combine(found), **found}


def _of_video_combine(tags: Mapping[str, str]) -> dict[str, str]:
    """What VHS_VideoCombine puts into the comment: `{"prompt", "workflow"}`, each an object or its JSON text."""
    try:
        comment = json.loads(tags.get("comment", ""))
    except (ValueError, RecursionError):
        return {}
    if not isinstance(comment, dict):
        return {}
    parts = {name: comment[name] for name in ("prompt", "workflow") if comment.get(name)}
    return {name: part if isinstance(part, str) else json.dumps(part) for name, part in parts.items()}


def read_poster(path: Path, max_pixels: int) -> bytes:
    """The first picture of a video, upright, as a PNG file. Raises MediaError, FileNotFoundError."""
    from inglenook.media import containers, images

    with containers.opened(path) as container:
        if not container.streams.video:
            raise MediaError(f"{path.name} has no pictures")
        stream = container.streams.video[0]
        images.check_size(stream.width or 0, stream.height or 0, 1, max_pixels, path.name)
        frame = next(container.decode(stream), None)
        if frame is None:
            raise MediaError(f"{path.name} has no frame that can be shown")
        images.check_size(frame.width, frame.height, 1, max_pixels, path.name)
        picture = frame.to_image()
        turned = picture.rotate(frame.rotation, expand=True) if frame.rotation else picture
    buffer = io.BytesIO()
    turned.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _tags(path: Path, _request: Mapping[str, Any]) -> bytes:
    return json.dumps(read_tags(path)).encode("utf-8", "replace")


def _poster(path: Path, request: Mapping[str, Any]) -> bytes:
    return read_poster(path, request["max_pixels"])


_READ: Mapping[str, Callable[[Path, Mapping[str, Any]], bytes]] = {"tags": _tags, "poster": _poster}


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests until there are no more."""
    for line in requests:
        request = json.loads(line)
        _end_after(request["limit_s"])
        head, body = _answer(request)
        _end_after(0)
        answers.write(json.dumps(head).encode() + b"\n" + body)
        answers.flush()


def _answer(request: Mapping[str, Any]) -> tuple[dict[str, Any], bytes]:
    path = Path(request["path"])
    try:
        body = _READ[request["read"]](path, request)
    except FileNotFoundError:
        return {"error": f"there is no file {path.name}", "missing": True}, b""
    except MediaError as error:
        return {"error": str(error)}, b""
    except ImportError:
        return {"error": "reading sound and video needs PyAV: install inglenook[engine]"}, b""
    except Exception as error:  # whatever a damaged file leads to
        return {"error": f"cannot read {path.name}: {str(error) or type(error).__name__}"}, b""
    return {"size": len(body)}, body


def _end_after(seconds: int) -> None:
    """Let the system end this process after a time, even if nobody is left who waits for it; 0: never."""
    if hasattr(signal, "alarm"):
        signal.alarm(seconds)


def _limit_memory() -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main() -> None:
    """Serve on the standard streams; what libraries print goes nowhere."""
    _limit_memory()
    answers = os.fdopen(os.dup(1), "wb")
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)
    serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
