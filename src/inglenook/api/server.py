"""Runs the server: uvicorn as we want it, and an orderly end."""

from __future__ import annotations

import asyncio
import errno
import logging
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from inglenook.api.app import create_app
from inglenook.api.deps import Services
from inglenook.api.http_protocol import BoundedProtocol
from inglenook.api.services import open_services
from inglenook.api.tls import check_tls
from inglenook.api.websocket_protocol import BatchingProtocol
from inglenook.errors import SettingsError, WorkerError
from inglenook.settings import Settings
from inglenook.workers.descriptors import raise_descriptor_limit

logger = logging.getLogger(__name__)

_SOCKET_LIMIT_BYTES = 16 << 20
"""Largest message that a client may send on its socket."""
_PING_INTERVAL_S = 30
_CLOSE_REQUESTS_S = 5
"""How long open requests and sockets may take to end, once the server stops."""
_START_S = 120
"""How long a device process may take to start, beside the packs that it imports."""
_KEEPALIVE_OPTIONS = (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4))
"""A peer that has vanished (cable, sleep, NAT) is noticed after two minutes; Linux's own two hours fill the
descriptors. A platform may lack some of them."""
UNREAD_LIMIT_MS = 120_000
"""A peer that takes nothing of what was sent to it for this long is dropped, whatever it acknowledges (Linux:
TCP_USER_TIMEOUT). Browsers ask again for the rest of a video that was paused."""


def bind(settings: Settings) -> list[socket.socket]:
    """Return listening sockets for every address of `settings.host`. Raises SettingsError for one that is in use.

    `::` beside other addresses is left out where the system has no IPv6, as in many containers.
    """
    sockets: list[socket.socket] = []
    port = settings.port
    for host in (part.strip() for part in settings.host.split(",")):
        try:
            sockets.append(_listen(host, port))
        except OSError as error:
            if host == "::" and sockets and error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                logger.info("not listening on ::, there is no IPv6 here")
                continue
            for listener in sockets:
                listener.close()
            hint = "; another --port may be free" if error.errno == errno.EADDRINUSE else ""
            raise SettingsError(f"cannot listen on {host} port {port}: {error.strerror or error}{hint}") from error
        port = sockets[0].getsockname()[1]
    return sockets


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sends small packets at once only where a socket says that it is TCP; otherwise answers wait 40 ms
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        _keep_alive(listener)
        listener.bind((host, port))
        listener.listen(2048)
    except OSError:
        listener.close()
        raise
    return listener


def _keep_alive(listener: socket.socket) -> None:
    """Have the system probe idle connections; those that are accepted inherit it."""
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (*_KEEPALIVE_OPTIONS, ("TCP_USER_TIMEOUT", UNREAD_LIMIT_MS)):
        option = getattr(socket, name, None)
        if option is not None:
            listener.setsockopt(socket.IPPROTO_TCP, option, value)


def serve(
    settings: Settings, on_ready: Callable[[str], None] = lambda url: None, *, stop_when_started: bool = False
) -> None:
    """Run a server until SIGTERM or SIGINT; `on_ready` gets its URL once it answers.

    stop_when_started: end once every device process has imported its node packs.
    Raises SettingsError when an address is taken or the TLS files are no good, JobStoreError or DataFolderLocked when
    the data folder cannot be used, WorkerError when a device process that is waited for does not get ready.
    """
    is_secure = check_tls(settings)
    raise_descriptor_limit()
    listeners = bind(settings)
    # uvloop, where it is installed
    factory = uvicorn.Config(lambda: None, log_config=None).get_loop_factory()
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(_serve(settings, listeners, on_ready, is_secure=is_secure, stop_when_started=stop_when_started))


def uvicorn_config(app: ASGIApp, settings: Settings, **options: Any) -> uvicorn.Config:
    """uvicorn as we want it, with its limits. options: further ones of uvicorn's, or others in place of these."""
    ours: dict[str, Any] = {
        "lifespan": "off",
        "http": partial(BoundedProtocol, most_connections=settings.max_connections),
        "ws": BatchingProtocol,
        "ws_max_size": _SOCKET_LIMIT_BYTES,
        "ws_ping_interval": _PING_INTERVAL_S,
        "ws_ping_timeout": None,  # no pong is demanded, see websocket_protocol.py
        "ws_per_message_deflate": False,  # see comfy/outgoing.py
        "access_log": False,
        "log_level": "warning",
        "log_config": None,
        "proxy_headers": False,
        "server_header": False,
        "timeout_graceful_shutdown": _CLOSE_REQUESTS_S,
        "timeout_keep_alive": 75,
    }
    return uvicorn.Config(app, **{**ours, **options})


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: a running job may end while its client's socket is still open."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def running_server(settings: Settings) -> AsyncIterator[str]:
    """A server in this event loop for the time of the block, without TLS; yields its URL once it answers.

    What still runs at the end is given up. Raises as `serve` does.
    """
    listeners = bind(settings)
    async with _answering(settings, listeners) as (services, _, _):
        try:
            yield _url(listeners[0])
        finally:
            await services.dispatcher.close(0)


async def _serve(
    settings: Settings,
    listeners: list[socket.socket],
    on_ready: Callable[[str], None],
    *,
    is_secure: bool,
    stop_when_started: bool,
) -> None:
    async with _answering(settings, listeners, is_secure=is_secure) as (services, server, serving):
        stopping = asyncio.create_task(_stop_on_signal(_caught_signals(), services, server))
        on_ready(_url(listeners[0], is_secure=is_secure))
        try:
            if stop_when_started:
                await _all_started(services, serving)
                server.should_exit = True
            await serving
        finally:
            stopping.cancel()


async def _all_started(services: Services, serving: asyncio.Task[None]) -> None:
    """Wait until every worker has been ready, or the server ends."""
    limit_s = services.settings.pack_import_timeout_s + _START_S
    try:
        async with asyncio.timeout(limit_s):
            # A test of installations: who waits here has time
            while any(worker.documents is None for worker in services.dispatcher.workers) and not serving.done():  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise WorkerError(f"the device process was not ready within {limit_s:g} s; the log says why") from None


@asynccontextmanager
async def _answering(
    settings: Settings, listeners: list[socket.socket], *, is_secure: bool = False
) -> AsyncIterator[tuple[Services, uvicorn.Server, asyncio.Task[None]]]:
    """Open the services and answer requests for them until the block ends."""
    async with open_services(settings) as services:
        server = _Server(
            uvicorn_config(create_app(services), settings, **(_tls_options(settings) if is_secure else {}))
        )
        serving = asyncio.create_task(server.serve(sockets=listeners))
        try:
            while not server.started and not serving.done():  # noqa: ASYNC110 - uvicorn tells it by this flag only
                await asyncio.sleep(0.005)
            yield services, server, serving
        finally:
            server.should_exit = True
            await serving


def _caught_signals() -> asyncio.Queue[signal.Signals]:
    """Return where SIGINT and SIGTERM arrive from now on."""
    signals: asyncio.Queue[signal.Signals] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, signals.put_nowait, number)
        except NotImplementedError:  # Windows: the handler runs in the main thread, between bytecodes
            signal.signal(
                number, lambda caught, _: loop.call_soon_threadsafe(signals.put_nowait, signal.Signals(caught))
            )
    return signals


async def _stop_on_signal(signals: asyncio.Queue[signal.Signals], services: Services, server: uvicorn.Server) -> None:
    """First signal: finish what runs, then stop. Second signal: stop now."""
    logger.info("stopping: %s", (await signals.get()).name)
    closing = asyncio.create_task(services.dispatcher.close(services.settings.shutdown_grace_s))
    again = asyncio.create_task(signals.get())
    await asyncio.wait((closing, again), return_when=asyncio.FIRST_COMPLETED)
    if not closing.done():
        services.dispatcher.hurry()
        server.force_exit = True
        await closing
    again.cancel()
    server.should_exit = True


def _tls_options(settings: Settings) -> dict[str, Any]:
    assert settings.tls_keyfile is not None
    assert settings.tls_certfile is not None
    return {
        "ssl_keyfile": settings.tls_keyfile.expanduser(),
        "ssl_certfile": settings.tls_certfile.expanduser(),
    }


def _url(listener: socket.socket, *, is_secure: bool = False) -> str:
    host, port = listener.getsockname()[:2]
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"{'https' if is_secure else 'http'}://{shown}:{port}"
