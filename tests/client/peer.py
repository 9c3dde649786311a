"""A small server with ComfyUI's routes whose every answer a test decides: late, broken, old or plain."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from aiohttp import WSMsgType, web

PNG = bytes.fromhex("89504e470d0a1a0a") + b"picture"
JPEG = b"\xff\xd8\xffpreview"


class Job:
    """A job that the peer was given."""

    def __init__(self, peer: Peer, prompt_id: str, client_id: str, graph: dict[str, Any]) -> None:
        self.peer = peer
        self.prompt_id = prompt_id
        self.client_id = client_id
        self.graph = graph

    async def tell(self, kind: str, **data: Any) -> None:
        """Send a message about this job to its client."""
        await self.send(json.dumps({"type": kind, "data": {"prompt_id": self.prompt_id, **data}}))

    async def send(self, message: str | bytes) -> None:
        socket = await self.peer.socket(self.client_id)
        await (socket.send_bytes(message) if isinstance(message, bytes) else socket.send_str(message))

    def finish(self, outputs: dict[str, Any] | None = None, *, end: str = "execution_success", **details: Any) -> None:
        """Take it out of the queue and put it into the history."""
        self.peer.queue.pop(self.prompt_id, None)
        self.peer.running.discard(self.prompt_id)
        is_success = end == "execution_success"
        messages = [
            ["execution_start", {"prompt_id": self.prompt_id}],
            [end, {"prompt_id": self.prompt_id, **details}],
        ]
        self.peer.history[self.prompt_id] = {
            "prompt": [1, self.prompt_id, self.graph, {}, []],
            "outputs": outputs or {},
            "status": {
                "status_str": "success" if is_success else "error",
                "completed": is_success,
                "messages": messages,
            },
        }


Script = Callable[[Job], Awaitable[None]]
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Peer:
    """The server; `script` is run for every job that is submitted."""

    def __init__(self) -> None:
        self.url = ""
        self.script: Script = ordinary
        self.has_sockets = True
        self.queue: dict[str, Job] = {}
        self.history: dict[str, Any] = {}
        self.submissions: list[dict[str, Any]] = []
        self.requests: list[str] = []
        self.files: dict[str, bytes] = {"a.png": PNG}
        self.rejection: tuple[int, dict[str, Any]] | None = None
        self.loses_answers = False
        self.special: dict[tuple[str, str], Answer] = {}
        """(method, path) -> what answers instead of, or beside, the usual."""
        self.is_frozen = False
        self.running: set[str] = set()
        """Which jobs of the queue run."""
        self._sockets: dict[str, web.WebSocketResponse] = {}
        self._changed = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def serving(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[Peer]:
        app = web.Application(middlewares=[self._answer], client_max_size=1 << 28)
        app.router.add_post("/prompt", self._post_prompt)
        app.router.add_get("/history/{prompt_id}", self._get_history)
        app.router.add_get("/queue", self._get_queue)
        app.router.add_post("/queue", self._post_queue)
        app.router.add_post("/interrupt", self._post_interrupt)
        app.router.add_post("/upload/image", self._upload)
        app.router.add_get("/view", self._view)
        app.router.add_get("/ws", self._connect)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        self.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await runner.cleanup()

    async def socket(self, client_id: str) -> web.WebSocketResponse:
        """Return the client's socket, waiting for it to come."""
        async with asyncio.timeout(60), self._changed:
            await self._changed.wait_for(lambda: client_id in self._sockets)
            return self._sockets[client_id]

    async def drop(self, client_id: str) -> None:
        """Break a client's socket."""
        socket = await self.socket(client_id)
        del self._sockets[client_id]
        assert socket._req is not None
        assert socket._req.transport is not None
        socket._req.transport.abort()

    def forget_sockets(self) -> None:
        """Their other ends are gone; clients that come back are waited for."""
        self._sockets.clear()

    @web.middleware
    async def _answer(self, request: web.Request, handler: Answer) -> web.StreamResponse:
        while self.is_frozen:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        return await self.special.get((request.method, request.path), handler)(request)

    async def _post_prompt(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.submissions.append(body)
        if self.rejection is not None:
            return web.json_response(self.rejection[1], status=self.rejection[0])
        job = Job(self, body["prompt_id"], body["client_id"], body["prompt"])
        self.queue[job.prompt_id] = job
        task = asyncio.get_running_loop().create_task(self._play(job))
        self._tasks.add(task)
        if self.loses_answers:
            assert request.transport is not None
            request.transport.abort()
        return web.json_response({"prompt_id": job.prompt_id, "number": 1, "node_errors": {}})

    async def _play(self, job: Job) -> None:
        await self.script(job)

    async def _get_history(self, request: web.Request) -> web.Response:
        self.requests.append(request.path)
        prompt_id = request.match_info["prompt_id"]
        return web.json_response({prompt_id: self.history[prompt_id]} if prompt_id in self.history else {})

    async def _get_queue(self, _request: web.Request) -> web.Response:
        pending, running = (
            [
                [1, job.prompt_id, job.graph, {}, []]
                for job in self.queue.values()
                if (job.prompt_id in self.running) is runs
            ]
            for runs in (False, True)
        )
        return web.json_response({"queue_running": running, "queue_pending": pending})

    async def _post_queue(self, request: web.Request) -> web.Response:
        for prompt_id in (await request.json()).get("delete", []):
            if prompt_id not in self.running:
                self.queue.pop(prompt_id, None)
        return web.Response()

    async def _post_interrupt(self, request: web.Request) -> web.Response:
        self.requests.append(f"interrupt {await request.text()}")
        return web.Response()

    async def _upload(self, request: web.Request) -> web.Response:
        form = await request.post()
        image = form["image"]
        assert isinstance(image, web.FileField)
        self.files[image.filename] = image.file.read()
        return web.json_response({"name": image.filename, "subfolder": form["subfolder"], "type": form["type"]})

    async def _view(self, request: web.Request) -> web.Response:
        content = self.files.get(request.query["filename"])
        return web.Response(status=404) if content is None else web.Response(body=content)

    async def _connect(self, request: web.Request) -> web.StreamResponse:
        if not self.has_sockets:
            return web.Response(status=404)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        client_id = request.query["clientId"]
        async with self._changed:
            self._sockets[client_id] = socket
            self._changed.notify_all()
        await socket.send_json(
            {"type": "status", "data": {"status": {"exec_info": {"queue_remaining": 0}}, "sid": "x"}}
        )
        async for message in socket:
            assert message.type in (WSMsgType.TEXT, WSMsgType.BINARY)
        return socket


def image(name: str = "a.png") -> dict[str, Any]:
    return {"images": [{"filename": name, "subfolder": "", "type": "output"}]}


def described_preview(prompt_id: str, node: str) -> bytes:
    about = json.dumps({"node_id": node, "prompt_id": prompt_id, "image_type": "image/jpeg"}).encode()
    return struct.pack(">II", 4, len(about)) + about + JPEG


def plain_preview(data: bytes, form: int = 1) -> bytes:
    return struct.pack(">II", 1, form) + data


async def ordinary(job: Job) -> None:
    """Nodes 1 (with progress and a preview) and 2 (with a picture), as a server of today tells it."""
    await job.tell("execution_start")
    await job.tell("execution_cached", nodes=[])
    await job.tell("executing", node="1", display_node="1")
    await job.send(described_preview(job.prompt_id, "1"))
    await job.tell("progress", node="1", value=1, max=2)
    await job.tell("executing", node="2", display_node="2")
    await job.tell("executed", node="2", display_node="2", output=image())
    job.finish({"2": image()})
    await job.tell("execution_success")
    await job.tell("executing", node=None)
