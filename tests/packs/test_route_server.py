"""Routes of node packs, served on a Unix socket."""

import asyncio
import os
import socket
import stat
import tempfile
import threading
from pathlib import Path

import httpx
import pytest
from aiohttp import web

from inglenook.packs import route_server
from inglenook.packs.prompt_server import PromptServer
from inglenook.packs.route_names import UNMATCHED


@pytest.fixture
def loop():
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture
def serve(loop):
    """Serves what is on a PromptServer; returns a client of it."""
    started = []

    def serve(server):
        path = route_server.start(server, loop)
        assert path is not None
        client = httpx.Client(transport=httpx.HTTPTransport(uds=path), base_url="http://pack", timeout=60)
        started.append((path, client))
        client.socket = path
        return client

    yield serve
    for path, client in started:
        client.close()
        route_server.stop(path)
        assert not Path(path).parent.exists()


async def hello(request):
    return web.json_response({"path": request.path, "body": await request.text()})


def test_without_routes_nothing_is_served(loop):
    server = PromptServer()
    server.app.middlewares.append(web.normalize_path_middleware())
    assert route_server.start(server, loop) is None


def test_a_route_is_there_bare_and_under_api(serve):
    server = PromptServer()
    server.routes.get("/acme/hello", name="hello")(hello)
    server.routes.post("/acme/hello")(hello)
    client = serve(server)
    assert client.get("/acme/hello").json()["path"] == "/acme/hello"
    assert client.post("/api/acme/hello", content=b"x").json() == {"path": "/api/acme/hello", "body": "x"}


def test_class_views_and_static_folders_are_served(serve, tmp_path):
    (tmp_path / "a.txt").write_text("text")
    server = PromptServer()

    @server.routes.view("/acme/view")
    class View(web.View):
        async def get(self):
            return web.Response(text="viewed")

    server.routes.static("/acme/files", tmp_path)
    server.app.router.add_static("/acme/own", tmp_path)
    client = serve(server)
    assert client.get("/api/acme/view").text == "viewed"
    for path in ("/acme/files/a.txt", "/api/acme/files/a.txt", "/acme/own/a.txt"):
        assert client.get(path).text == "text"
    missing = client.get("/acme/files/b.txt")
    assert (missing.status_code, UNMATCHED in missing.headers) == (404, False)


def test_the_socket_is_private(serve):
    server = PromptServer()
    server.routes.get("/a")(hello)
    folder = Path(serve(server).socket).parent
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert folder.stat().st_uid == os.getuid()


def test_answers_of_the_router_are_marked_and_those_of_routes_are_not(serve):
    async def gone(request):
        raise web.HTTPNotFound(text="no such picture")

    server = PromptServer()
    server.routes.get("/acme/gone")(gone)
    client = serve(server)
    nothing, wrong_method, own = client.get("/nope"), client.post("/acme/gone"), client.get("/acme/gone")
    assert (nothing.status_code, nothing.headers[UNMATCHED]) == (404, "1")
    assert (wrong_method.status_code, wrong_method.headers[UNMATCHED]) == (405, "1")
    assert wrong_method.headers["allow"] == "GET,HEAD"
    assert (own.status_code, own.text, UNMATCHED in own.headers) == (404, "no such picture", False)


@pytest.mark.parametrize("error", [ValueError("/secret/path"), SystemExit(3), KeyboardInterrupt(), TimeoutError()])
def test_a_route_that_raises_is_a_500_that_shows_nothing_and_leaves_the_others_alone(serve, loop, caplog, error):
    async def failing(request):
        raise error

    loop.call_soon_threadsafe(loop.set_debug, True)  # with which aiohttp would show the traceback
    server = PromptServer()
    server.routes.get("/acme/fail")(failing)
    server.routes.get("/acme/hello")(hello)
    client = serve(server)
    reply = client.get("/acme/fail", headers={"accept": "text/html"})
    assert reply.status_code == 500
    assert "secret" not in reply.text
    assert "Traceback" not in reply.text
    assert "GET /acme/fail" in caplog.text
    assert type(error).__name__ in caplog.text
    assert client.get("/acme/hello").status_code == 200


def test_a_route_that_raises_in_the_middle_breaks_its_answer_off(serve):
    async def half(request):
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"half")
        raise ValueError("broken")

    server = PromptServer()
    server.routes.get("/acme/half")(half)
    with pytest.raises(httpx.RemoteProtocolError):
        serve(server).get("/acme/half")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # a handler that is no coroutine
def test_a_route_that_cannot_be_registered_is_left_out(serve, caplog):
    server = PromptServer()
    server.routes.get("no-slash")(hello)
    server.routes.get("/acme/{broken")(hello)
    server.routes.get("/acme/none")(None)
    server.routes.static("/acme/files", "/does/not/exist")
    server.routes.get("/acme/hello")(hello)
    server.routes.get("/acme/hello")(hello)
    client = serve(server)
    assert client.get("/acme/hello").status_code == 200
    for shown in ("GET no-slash", "GET /acme/{broken", "GET /acme/none", "static /acme/files"):
        assert f"the route {shown} " in caplog.text


def test_start_up_code_that_fails_does_not_take_the_routes_with_it(serve, caplog):
    async def failing(app):
        raise RuntimeError("no database")

    async def working(app):
        app["acme"] = "started"

    async def started(request):
        return web.Response(text=request.app["acme"])

    server = PromptServer()
    server.app.on_startup.extend([failing, working])
    server.routes.get("/acme")(started)
    with pytest.warns(web.NotAppKeyWarning):
        client = serve(server)
    assert client.get("/acme").text == "started"
    assert "no database" in caplog.text


def test_bodies_of_any_size_are_taken(serve):
    async def count(request):
        return web.json_response(len(await request.read()))

    server = PromptServer()
    server.routes.post("/acme/count")(count)
    assert serve(server).post("/acme/count", content=bytes(5 << 20)).json() == 5 << 20


def test_middleware_of_packs_sees_their_routes(serve):
    @web.middleware
    async def stamping(request, handler):
        response = await handler(request)
        response.headers["X-Acme"] = "1"
        return response

    server = PromptServer()
    server.app.middlewares.append(stamping)
    server.routes.get("/acme")(hello)
    assert serve(server).get("/acme").headers["x-acme"] == "1"


@pytest.fixture
def own_temporary_folder(monkeypatch):
    """One with a short path, as a socket needs it, in which no other server sweeps."""
    with tempfile.TemporaryDirectory(prefix="own-", dir="/tmp") as folder:
        monkeypatch.setattr(route_server.tempfile, "gettempdir", lambda: folder)
        yield folder


def test_folders_of_processes_that_are_gone_are_swept_up(own_temporary_folder, serve):
    dead = Path(tempfile.mkdtemp(prefix="inglenook-routes-", dir=own_temporary_folder))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(dead / "http"))
    server, other = PromptServer(), PromptServer()
    server.routes.get("/a")(hello)
    other.routes.get("/a")(hello)
    client = serve(server)
    assert not dead.exists()
    serve(other)
    assert client.get("/a").status_code == 200


def test_a_temporary_folder_whose_path_is_too_long_for_a_socket_is_not_used(serve, tmp_path, monkeypatch):
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    monkeypatch.setattr(route_server.tempfile, "gettempdir", lambda: str(deep))
    server = PromptServer()
    server.routes.get("/a")(hello)
    assert serve(server).get("/a").status_code == 200
