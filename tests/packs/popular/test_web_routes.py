"""Routes of packs, their scripts, their messages, their hand in prompts."""

import asyncio
import threading

import httpx
import pytest
import websockets.sync.client

from tests.api.live import NO_TLS, is_left, new_id, read_until
from tests.packs.popular.harness import shown
from tests.packs.rules.harness import node, of_type

BARE_AND_API = pytest.mark.parametrize("prefix", ["", "/api"])


@BARE_AND_API
def test_a_route_answers_with_json(server, prefix):
    reply = server.get(f"{prefix}/web_routes/hello/otter?a=1&b=%20")
    assert reply.json() == {"hello": "otter", "query": {"a": "1", "b": " "}, "input": str(server.base / "input")}
    assert reply.headers["X-Web-Routes"] == "seen"  # by the middleware of the pack


@BARE_AND_API
def test_a_route_reads_json(server, prefix):
    assert server.post(f"{prefix}/web_routes/echo", {"a": [1, "ü"]}).json() == {"a": [1, "ü"]}
    reply = server.post(f"{prefix}/web_routes/echo", b"no json")
    assert (reply.status_code, reply.json()) == (400, {"error": "no JSON"})
    assert server._http.delete(f"{prefix}/web_routes/echo").status_code == 204


@BARE_AND_API
def test_a_route_sends_a_file(server, prefix):
    reply = server.get(f"{prefix}/web_routes/file")
    assert (reply.text, reply.headers["X-Pack"]) == ("served as it is\n", "web-routes")
    part = server.get(f"{prefix}/web_routes/file", headers={"Range": "bytes=0-5"})
    assert (part.status_code, part.text) == (206, "served")


@BARE_AND_API
def test_a_route_takes_an_upload(server, prefix):
    content = bytes(range(256)) * 8000
    name = f"upload{prefix.replace('/', '-')}.bin"
    reply = server.post(f"{prefix}/web_routes/upload", files={"file": (name, content)}, data={"note": "hi"})
    assert reply.json() == {"name": name, "size": len(content), "note": "hi"}
    assert (server.base / "input" / name).read_bytes() == content


@BARE_AND_API
def test_a_route_is_a_web_socket(server, prefix):
    address = f"{server.url.replace('http', 'ws')}{prefix}/web_routes/socket"
    with websockets.sync.client.connect(address, open_timeout=60) as socket:
        socket.send("hello")
        assert socket.recv(60) == '{"said": "hello"}'
        socket.send(b"abc")
        assert socket.recv(60) == b"cba"
        socket.send("close")
        with pytest.raises(websockets.ConnectionClosedOK):
            socket.recv(60)


def test_a_route_answers_bit_by_bit(server):
    with server._http.stream("GET", "/web_routes/stream") as reply:
        assert reply.headers["content-type"] == "text/event-stream"
        assert [line for line in reply.iter_lines() if line] == ["data: 0", "data: 1", "data: 2"]


def test_a_static_folder_and_a_route_of_the_application_are_served(server):
    assert server.get("/web_routes_assets/note.txt").text == "served as it is\n"
    assert server.get("/web_routes_assets/../routes.py").status_code == 404
    assert server.get("/web_routes_plain").text == "plain"


def test_a_route_that_fails_says_nothing_of_why(server):
    reply = server.get("/web_routes/fails")
    assert reply.status_code == 500
    assert "nothing here" not in reply.text
    assert "nothing here" in (server.base / "server.log").read_text()


def test_other_paths_and_methods_are_refused(server):
    assert server.get("/web_routes/none").status_code == 404
    assert server.post("/web_routes/file").status_code == 405


def test_a_task_on_the_loop_of_the_server_goes_on(server):
    first = server.get("/web_routes/ticks").json()["ticks"]
    server.until(lambda: server.get("/web_routes/ticks").json()["ticks"] > first)


def test_scripts_are_listed_and_served(server):
    scripts = server.get("/extensions").json()
    assert {
        "/extensions/web-routes-pack/main.js",
        "/extensions/web-routes-pack/lib/part.js",
        "/extensions/ComfyUI-Image-Tools/image_tools.js",
    } <= set(scripts)
    assert not [script for script in scripts if "style.css" in script]
    reply = server.get("/api/extensions/web-routes-pack/lib/part.js")
    assert reply.text == "export const part = 1;\n"
    assert reply.headers["content-type"].startswith("text/javascript")
    assert "teal" in server.get("/extensions/web-routes-pack/style.css").text
    assert server.get("/extensions/web-routes-pack/../__init__.py").status_code == 404


def test_a_message_from_a_route_reaches_all_or_one(server):
    one, other = new_id(), new_id()
    with server.socket(one) as first, server.socket(other) as second:
        server.post("/web_routes/shout", {"client_id": one, "number": 1})
        server.post("/web_routes/shout", {"number": 2})

        def is_last(message):
            return isinstance(message, dict) and message["data"].get("number") == 2

        heard = [of_type(read_until(socket, is_last), "web_routes.shout") for socket in (first, second)]
    assert [[data["number"] for data in each] for each in heard] == [[1, 2], [2]]


def test_a_prompt_is_changed_by_the_handler_of_a_pack(server):
    entry = server.run({"1": node("WebRoutesStamp", stamp="?")})
    assert entry["outputs"]["1"]["text"] == ["stamped by the server"]
    assert entry["prompt"][2]["1"]["inputs"] == {"stamp": "stamped by the server"}
    assert server.outputs({"1": node("WebRoutesStamp", stamp="own")})["1"]["text"] == ["own"]


def test_a_message_of_a_node_reaches_all(server):
    with server.socket(new_id()) as listener:
        server.run({"1": node("WebRoutesStamp", stamp=new_id())})
        heard = read_until(listener, lambda m: isinstance(m, dict) and m["type"] == "web_routes.stamped")
    assert heard[-1]["data"]["size"] == 1  # a number of numpy's


def test_a_message_of_a_node_reaches_who_asked_in_its_place_among_the_others(server):
    client_id, text = new_id(), new_id()
    with server.socket(new_id()) as other, server.socket(client_id) as own:
        job = server.submit({"7": node("WebRoutesTell", text=text)}, client_id=client_id)
        seen = read_until(own, is_left(job))
        server.post("/web_routes/shout", {"number": 3})
        elsewhere = read_until(other, lambda m: isinstance(m, dict) and m["type"] == "web_routes.shout")
    kinds = [m["type"] if isinstance(m, dict) else m[:4] for m in seen]
    told, began, ended = kinds.index("web_routes.tell"), kinds.index("executing"), kinds.index("executed")
    assert began < told < ended
    assert seen[told]["data"] == {"node": "7", "text": text}
    assert "web_routes.tell" not in [m["type"] for m in elsewhere if isinstance(m, dict)]
    assert "web_routes.thread" in kinds
    assert "web_routes.thread" in [m["type"] for m in elsewhere if isinstance(m, dict)]
    assert seen[ended]["data"]["output"] == {"text": ["7 True"]}
    texts = [m for m in seen if isinstance(m, bytes) and m[:4] == b"\0\0\0\3"]
    assert texts[0].endswith(f"telling {text}".encode())
    assert any(b"\x89PNG" in m for m in seen if isinstance(m, bytes))


def test_a_node_that_asks_the_user_goes_on_with_the_answer(server):
    client_id = new_id()
    with server.socket(client_id) as socket:
        job = server.submit({"5": node("WebRoutesChoose", choices="x,y"), "s": shown("5")}, client_id=client_id)
        asked = read_until(socket, lambda m: isinstance(m, dict) and m["type"] == "web_routes.choose")[-1]["data"]
        assert asked == {"id": "5", "choices": ["x", "y"]}
        server.post("/web_routes/answer/5", {"choice": "y"})
        read_until(socket, is_left(job))
    assert server.wait(job)["outputs"]["s"]["text"] == ["y"]


def test_a_node_that_asks_the_user_can_be_interrupted(server):
    job = server.submit({"5": node("WebRoutesChoose", choices="x,y")})
    server.until_running(job)
    server.post("/interrupt", {"prompt_id": job})
    assert server.wait(job)["status"]["messages"][-1][0] == "execution_interrupted"


def test_routes_validators_and_lists_answer_while_a_node_works(server):
    job = server.submit({"5": node("WebRoutesChoose", choices="x,y")})
    try:
        server.until_running(job)
        assert server.get("/web_routes/hello/busy").json()["hello"] == "busy"
        assert server.get("/web_routes/ticks").json()["queue"] == {"exec_info": {"queue_remaining": 1}}
        (server.base / "input" / "meanwhile.png").write_bytes(b"")
        assert "meanwhile.png" in server.info("LoadImageExtended")["input"]["required"]["image"][0]
        graph = {"1": node("LoadImageExtended", image="nowhere.png", keep_alpha=False), "2": shown("1")}
        assert "Invalid image file" in str(server.refused(graph))
    finally:
        server.post("/web_routes/answer/5", {"choice": "x"})
        server.wait(job)


@pytest.mark.parametrize(("way", "place"), [("own loop", "here"), ("server loop", "elsewhere"), ("async", "here")])
def test_a_node_runs_coroutines(server, way, place):
    assert server.outputs({"1": node("WebRoutesAsync", way=way)})["1"]["text"] == [place]


def test_many_requests_at_once(server):
    async def ask():
        async with httpx.AsyncClient(base_url=server.url, timeout=60, verify=NO_TLS) as client:
            replies = await asyncio.gather(*[client.get(f"/web_routes/hello/{number}") for number in range(100)])
            return [reply.json()["hello"] for reply in replies]

    found = []
    thread = threading.Thread(target=lambda: found.extend(asyncio.run(ask())))
    thread.start()
    thread.join()
    assert found == [str(number) for number in range(100)]
