"""Talks to one server over the ComfyUI API: this one, ComfyUI itself, or whatever speaks like it."""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import uuid
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from time import sleep
from types import TracebackType
from typing import IO, Any
from urllib.parse import quote, urlsplit

import httpx
import orjson

from inglenook.client._sync.job_stream import JobStream
from inglenook.client.blackening import Blackener
from inglenook.client.errors import (
    ClientError,
    ConnectionFailed,
    InvalidAnswer,
    NotFound,
    StatusError,
    raise_for_status,
)
from inglenook.client.events import Event, NodeStarted, Preview
from inglenook.client.following import failure_of
from inglenook.client.limits import Limits
from inglenook.client.parsing import parse_json
from inglenook.client.saving import ArrivingFile
from inglenook.client.types import (
    CatalogAnswer,
    FetchedFile,
    Graph,
    HistoryEntry,
    OutputFile,
    Outputs,
    Queue,
    StreamedImage,
    Submission,
    UploadedFile,
)

logger = logging.getLogger(__name__)

_LIMITS = Limits()
_FIRST_WAIT_S = 0.2
_MAX_KNOWN_JOBS = 10_000
_OF_THE_WIRE = frozenset({"content-encoding", "content-length", "transfer-encoding"})
"""Headers that say how a body came, not what it is."""


class Client:
    """A client of the server at `url`; use it as a context manager, or call `close`.

    Requests that could not reach the server are tried again; a submission whose answer was lost is looked up, so that
    it is never made twice.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8188",
        *,
        client_id: str | None = None,
        api_key: str | None = None,
        timeout_s: float = 60.0,
        reconnect_s: float = 60.0,
        limits: Limits = _LIMITS,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """client_id: sent with every job; without one, each job gets its own, so that several can be followed at once.
        reconnect_s: how long a server may be away while a job is followed. transport: takes the place of the network
        for HTTP, in tests; jobs are then followed through the history alone. limits: of answers and messages.
        """
        self.url = _with_scheme(url)
        self.client_id = client_id
        self.reconnect_s = reconnect_s
        self._limits = limits
        self._uses_sockets = transport is None
        self._is_local = _is_loopback(self.url)
        self._headers = {} if api_key is None else {"Authorization": f"Bearer {api_key}"}
        self._blackener = Blackener(api_key)
        self._client_ids: dict[str, str] = {}
        # Proxies of the environment are for the world outside, and most set-ups forget to except the loopback names.
        self._http = httpx.Client(
            base_url=self.url,
            headers=self._headers,
            timeout=httpx.Timeout(timeout_s, connect=min(timeout_s, 10.0)),
            transport=transport,
            trust_env=not self._is_local,
            # Reading the certificates of the world takes 50 ms, for nothing where there is no TLS. SSL_CERT_FILE counts
            # for loopback names, too: a tunnel may begin there.
            verify=httpx.create_ssl_context() if self.url.startswith("https:") else False,
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    # -- jobs --------------------------------------------------------------------------------------------------------

    def submit(self, graph: Graph, **options: Any) -> str:
        """Queue a graph and return its prompt id; options as in `post_prompt`.

        Outputs that the server left out because of faults are logged as a warning.
        """
        submission = self.post_prompt(graph, **options)
        if submission.node_errors:
            logger.warning(
                "job %s runs without the nodes with faults: %s", submission.prompt_id, submission.node_errors
            )
        return submission.prompt_id

    def post_prompt(
        self,
        graph: Graph,
        *,
        client_id: str | None = None,
        prompt_id: str | None = None,
        number: float | None = None,
        front: bool = False,
        extra_data: Mapping[str, Any] | None = None,
        targets: Sequence[str] | None = None,
    ) -> Submission:
        """Queue a graph.

        number: place in the queue, smaller first. front: before all that wait. targets: only these output nodes.
        Raises PromptRejected with the nodes' errors, TooManyRequests, ConnectionFailed.
        """
        wanted_id = prompt_id or str(uuid.uuid4())
        body: dict[str, Any] = {
            "prompt": graph,
            "prompt_id": wanted_id,
            "client_id": client_id or self.client_id or wanted_id,
        }
        if number is not None:
            body["number"] = number
        if front:
            body["front"] = True
        if extra_data is not None:
            body["extra_data"] = extra_data
        if targets is not None:
            body["partial_execution_targets"] = list(targets)
        try:
            submission = Submission.from_json(self._json("POST", "/prompt", json_body=body))
        except ConnectionFailed:
            if not self._is_known(wanted_id):
                raise
            submission = Submission(wanted_id, 0, {})
        self._remember(submission.prompt_id, body["client_id"])
        return submission

    def events(self, prompt_id: str) -> Generator[Event, None, None]:
        """Yield what happens to a job, from where it is to its end; `contextlib.closing` ends it early and cleanly.

        Comes back after a lost connection and reads an end that it missed from the history, with the outputs. A job
        that another client submitted is followed through the history alone, its messages belong to that client.
        Raises JobLost when the server no longer knows the job, ConnectionFailed when it stays away.
        """
        with self.stream(self._client_ids.get(prompt_id, self.client_id)) as stream:
            for event in stream.events(prompt_id):
                yield event
        self._client_ids.pop(prompt_id, None)

    def wait(self, prompt_id: str, *, on_event: Callable[[Event], None] | None = None) -> Outputs:
        """Return a job's outputs when it has ended.

        Raises JobFailed, JobInterrupted, JobLost, ConnectionFailed.
        """
        with self.stream(self._client_ids.get(prompt_id, self.client_id)) as stream:
            return self._finish(stream, prompt_id, {}, on_event)

    def run(self, graph: Graph, *, on_event: Callable[[Event], None] | None = None, **options: Any) -> Outputs:
        """Submit a graph and return its outputs, with the pictures that SaveImageWebsocket sent; options as in
        `post_prompt`. Raises what `post_prompt` and `wait` raise."""
        options.setdefault("prompt_id", str(uuid.uuid4()))
        options.setdefault("client_id", self.client_id or options["prompt_id"])
        # The socket is there before the job, so that not even a job of a millisecond ends unheard.
        with self.stream(options["client_id"]) as stream:
            with contextlib.suppress(ConnectionFailed):
                stream.open()
            prompt_id = self.submit(graph, **options)
            return self._finish(stream, prompt_id, graph, on_event)

    def _finish(
        self,
        stream: JobStream,
        prompt_id: str,
        graph: Graph,
        on_event: Callable[[Event], None] | None,
    ) -> Outputs:
        streamed: list[StreamedImage] = []
        current: str | None = None
        with contextlib.closing(stream.events(prompt_id)) as events:
            for event in events:
                if on_event is not None:
                    on_event(event)
                if isinstance(event, NodeStarted):
                    current = event.display_node
                elif isinstance(event, Preview) and _is_result(event, graph, current):
                    streamed.append(StreamedImage(str(current), event.media_type, event.data))
        self._client_ids.pop(prompt_id, None)
        end = stream.end
        failure = None if end is None else failure_of(prompt_id, end)
        if failure is not None:
            raise failure
        entry = self.history(prompt_id)
        return Outputs(prompt_id, stream.outputs if entry is None else entry.outputs, tuple(streamed))

    def stream(self, client_id: str | None) -> JobStream:
        """The messages for a client id, to be opened before its jobs are submitted; None: the history alone."""
        socket_url = None
        if client_id is not None and self._uses_sockets:
            socket_url = f"ws{self.url.removeprefix('http')}/ws?clientId={quote(client_id, safe='')}"
        return JobStream(
            socket_url,
            self._headers,
            use_proxy=not self._is_local,
            reconnect_s=self.reconnect_s,
            limits=self._limits,
            history=self.history,
            is_queued=self._is_queued,
        )

    def _remember(self, prompt_id: str, client_id: str) -> None:
        self._client_ids[prompt_id] = client_id
        if len(self._client_ids) > _MAX_KNOWN_JOBS:
            del self._client_ids[next(iter(self._client_ids))]

    def _is_known(self, prompt_id: str) -> bool:
        """Whether a submission arrived whose answer was lost."""
        try:
            return self._is_queued(prompt_id) or self.history(prompt_id) is not None
        except ClientError:
            return False

    def _is_queued(self, prompt_id: str) -> bool:
        return prompt_id in self.queue()

    # -- queue and history -------------------------------------------------------------------------------------------

    def queue(self) -> Queue:
        """Return what runs and what waits."""
        return Queue.from_json(self._json("GET", "/queue"))

    def queue_length(self) -> int:
        """Return how many jobs wait and run: the cheapest question there is."""
        answer = self._json("GET", "/prompt")
        try:
            return int(answer["exec_info"]["queue_remaining"])
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidAnswer("/prompt", "queue_remaining is missing") from error

    def history(self, prompt_id: str) -> HistoryEntry | None:
        """Return a finished job; None while it waits or runs, and for an unknown one."""
        answer = self._json("GET", f"/history/{quote(prompt_id, safe='')}")
        if not isinstance(answer, dict):
            raise InvalidAnswer("/history", "it is no object")
        entry = answer.get(prompt_id)
        return None if entry is None else HistoryEntry.from_json(prompt_id, entry)

    def recent_history(self, max_items: int) -> list[HistoryEntry]:
        """Return the newest finished jobs, oldest first."""
        answer = self._json("GET", f"/history?max_items={max_items}")
        if not isinstance(answer, dict):
            raise InvalidAnswer("/history", "it is no object")
        return [HistoryEntry.from_json(prompt_id, entry) for prompt_id, entry in answer.items()]

    def cancel(self, prompt_id: str) -> None:
        """Stop a job, whether it waits or runs."""
        self.remove(prompt_id)
        self.interrupt(prompt_id)

    def remove(self, prompt_id: str) -> None:
        """Take a job out of the queue, if it waits there."""
        self._request("POST", "/queue", json_body={"delete": [prompt_id]})

    def interrupt(self, prompt_id: str | None = None) -> None:
        """Stop the job that runs; with an id, only if it is that one."""
        self._request("POST", "/interrupt", json_body={} if prompt_id is None else {"prompt_id": prompt_id})

    def free(self, *, unload_models: bool = True, free_memory: bool = False) -> None:
        """Have the server give memory back after the current job: its models; with `free_memory` its results too."""
        self._request("POST", "/free", json_body={"unload_models": unload_models, "free_memory": free_memory})

    # -- files -------------------------------------------------------------------------------------------------------

    def upload_image(
        self,
        file: Path | bytes | IO[bytes],
        *,
        name: str | None = None,
        subfolder: str = "",
        type: str = "input",
        overwrite: bool = False,
    ) -> UploadedFile:
        """Put a file of any media kind into the server's folder and return the name it got there.

        name: how it is called there; needed for bytes. Raises BadRequest, TooLarge.
        """
        content = file.read_bytes() if isinstance(file, Path) else file
        if name is None:
            if not isinstance(file, Path):
                raise ValueError("upload_image needs a name for bytes and open files")
            name = file.name
        form = {"type": type, "subfolder": subfolder, "overwrite": "true" if overwrite else "false"}
        answer = self._json("POST", "/upload/image", files={"image": (name, content)}, form=form)
        return UploadedFile.from_json(answer)

    def view(
        self,
        filename: str,
        *,
        subfolder: str = "",
        type: str = "output",
        preview: str | None = None,
        channel: str | None = None,
    ) -> bytes:
        """Return a file, or with `preview` (`webp;80`) or `channel` (`rgb`, `a`) a picture made of it.

        Raises NotFound.
        """
        parameters = {"filename": filename, "subfolder": subfolder, "type": type}
        parameters |= {} if preview is None else {"preview": preview}
        parameters |= {} if channel is None else {"channel": channel}
        return (self._request("GET", "/view", parameters=parameters)).content

    def download(self, file: OutputFile) -> bytes:
        """Return the content of an output."""
        return self.view(file.filename, subfolder=file.subfolder, type=file.type)

    def save(self, file: OutputFile, folder: Path) -> Path:
        """Write an output into a folder under its own name, or `name (1)` and so on if that is taken.

        Returns the path. Raises NotFound, ConnectionFailed; nothing is left half written.
        """
        with ArrivingFile(folder, file.filename) as arriving:
            self.fetch(file, arriving.write)
            return arriving.commit()

    def fetch(
        self,
        file: OutputFile,
        write: Callable[[bytes], object],
        *,
        known_etag: str | None = None,
        most_bytes: int | None = None,
    ) -> FetchedFile:
        """Hand the content of an output to `write` as it comes; nothing when it still is that of `known_etag`.

        Raises NotFound, ConnectionFailed, InvalidAnswer when there are more than `most_bytes`.
        """
        parameters = {"filename": file.filename, "subfolder": file.subfolder, "type": file.type}
        headers = {} if known_etag is None else {"If-None-Match": known_etag}
        size = 0
        try:
            with self._http.stream("GET", "/view", params=parameters, headers=headers) as response:
                etag = response.headers.get("etag")
                if response.status_code == 304 and known_etag is not None:
                    return FetchedFile(0, etag or known_etag, is_unchanged=True)
                if not response.is_success:
                    raise_for_status(self._whole(response))
                for chunk in response.iter_bytes():
                    size += len(chunk)
                    if most_bytes is not None and size > most_bytes:
                        raise InvalidAnswer("/view", f"the file has more than {most_bytes} bytes")
                    write(chunk)
        except httpx.TransportError as error:
            raise ConnectionFailed(self.url, _reason(error)) from error
        except httpx.DecodingError as error:
            raise InvalidAnswer("/view", str(error)) from error
        return FetchedFile(size, etag)

    def file_size(self, file: OutputFile) -> int | None:
        """Return how many bytes a file on the server has; None when there is none, or the server does not say."""
        parameters = {"filename": file.filename, "subfolder": file.subfolder, "type": file.type}
        try:
            response = self._request("HEAD", "/view", parameters=parameters)
        except StatusError:
            return None
        length = response.headers.get("content-length", "")
        return int(length) if length.isascii() and length.isdigit() else None

    # -- the server --------------------------------------------------------------------------------------------------

    def object_info(self, node_class: str | None = None) -> dict[str, Any]:
        """Return node classes by name: all of them, or the one named; `{}` when there is none of that name."""
        path = "/object_info" if node_class is None else f"/object_info/{quote(node_class, safe='')}"
        return _object(path, self._json("GET", path))

    def catalog(self, known_etag: str | None = None) -> CatalogAnswer | None:
        """Return `/object_info` as it comes; None when it still is that of `known_etag`."""
        headers = {} if known_etag is None else {"If-None-Match": known_etag}
        response = self._request("GET", "/object_info", headers=headers, accepts=(304,) if headers else ())
        if response.status_code == 304:
            return None
        return CatalogAnswer(response.content, response.headers.get("etag"))

    def models(self, folder: str) -> list[str]:
        """Return the files of a model folder such as `checkpoints`. Raises NotFound."""
        answer = self._json("GET", f"/models/{quote(folder, safe='')}")
        return [str(name) for name in answer] if isinstance(answer, list) else []

    def get(self, path: str) -> Any:
        """Return the JSON answer to a `GET` of a path, for what has no method here. Raises NotFound, InvalidAnswer."""
        return self._json("GET", path)

    def get_bytes(self, path: str, *, most_bytes: int) -> bytes | None:
        """Return the answer to a `GET` of a path as it is; None for a 404, and when it has more than `most_bytes`."""
        try:
            response = self._request("GET", path)
        except NotFound:
            return None
        return response.content if len(response.content) <= most_bytes else None

    def system_stats(self) -> dict[str, Any]:
        """Return versions, memory and devices."""
        return _object("/system_stats", self._json("GET", "/system_stats"))

    # -- requests ----------------------------------------------------------------------------------------------------

    def _json(
        self,
        method: str,
        path: str,
        *,
        json_body: Any = None,
        files: Any = None,
        form: Mapping[str, str] | None = None,
    ) -> Any:
        response = self._request(method, path, json_body=json_body, files=files, form=form)
        try:
            return parse_json(response.content)
        except ValueError as error:
            raise InvalidAnswer(path, f"not JSON: {error}") from error

    def _request(
        self,
        method: str,
        path: str,
        *,
        json_body: Any = None,
        parameters: Mapping[str, str] | None = None,
        files: Any = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        accepts: Sequence[int] = (),
    ) -> httpx.Response:
        """accepts: statuses beside those of success that the caller understands."""
        content = None if json_body is None else orjson.dumps(json_body, option=orjson.OPT_NON_STR_KEYS)
        sent = dict(headers or {}) if content is None else {**(headers or {}), "Content-Type": "application/json"}
        request = self._http.build_request(
            method, path, content=content, params=parameters, files=files, data=form, headers=sent
        )
        response = self._send(request)
        if response.status_code not in accepts:
            raise_for_status(response)
        return response

    def _send(self, request: httpx.Request) -> httpx.Response:
        """Return the answer, read; a request that did not reach the server is made again."""
        for attempt in range(1, self._limits.connect_attempts + 1):
            try:
                return self._whole(self._http.send(request, stream=True))
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                # Nothing was sent, so any request may be repeated.
                if attempt == self._limits.connect_attempts:
                    raise ConnectionFailed(self.url, _reason(error)) from error
                sleep(_FIRST_WAIT_S * 2 ** (attempt - 1))
            except httpx.TransportError as error:
                raise ConnectionFailed(self.url, _reason(error)) from error
            except httpx.DecodingError as error:
                raise InvalidAnswer(request.url.path, str(error)) from error
        raise AssertionError("unreachable")

    def _whole(self, response: httpx.Response) -> httpx.Response:
        """Return an answer with its content, which is read up to the limit."""
        content = bytearray()
        try:
            for chunk in response.iter_bytes():
                content += chunk
                if len(content) > self._limits.answer_bytes:
                    reason = f"it has more than {self._limits.answer_bytes} bytes"
                    raise InvalidAnswer(response.request.url.path, reason)
        finally:
            response.close()
        headers = [(name, value) for name, value in response.headers.multi_items() if name not in _OF_THE_WIRE]
        if response.request.method == "HEAD":
            headers = response.headers.multi_items()
        # What a server says of a failure is shown and logged, and may repeat the headers of the request.
        whole = bytes(content) if response.is_success else self._blackener.body(bytes(content))
        return httpx.Response(response.status_code, headers=headers, content=whole, request=response.request)


def _is_result(preview: Preview, graph: Graph, current: str | None) -> bool:
    """Whether a picture is a result: SaveImageWebsocket sends PNG while it is the current node."""
    node = graph.get(current or "")
    class_type = node.get("class_type") if isinstance(node, Mapping) else None
    return class_type == "SaveImageWebsocket" and preview.media_type == "image/png"


def _with_scheme(url: str) -> str:
    whole = (url if "://" in url else f"http://{url}").rstrip("/")
    if urlsplit(whole).scheme not in ("http", "https") or not urlsplit(whole).hostname:
        raise ValueError(f"not the address of a server: {url!r}; it looks like http://127.0.0.1:8188")
    return whole


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _object(path: str, answer: Any) -> dict[str, Any]:
    if not isinstance(answer, dict):
        raise InvalidAnswer(path, "it is no object")
    return answer


def _reason(error: httpx.TransportError) -> str:
    return str(error) or type(error).__name__
