"""A device process that dies is replaced by one with all packs in it; the server is left as it was."""

import os
import signal

from tests.api.live import new_id, read_until
from tests.packs.rules.harness import node


def test_after_a_death_all_that_packs_added_is_there_again(server):
    def pid():
        (worker,) = server.get("/api/health").json()["workers"]
        return worker["pid"]

    before, classes = pid(), set(server.get("/object_info").json())
    with server.socket(new_id()) as socket:
        os.kill(before, signal.SIGKILL)
        server.until(lambda: pid() not in (None, before))
        server.until(lambda: server.get("/web_routes/hello/again").status_code == 200)
        assert set(server.get("/object_info").json()) == classes
        assert server.outputs({"1": node("WebRoutesStamp", stamp="?")})["1"]["text"] == ["stamped by the server"]
        heard = read_until(socket, lambda m: isinstance(m, dict) and m["type"] == "web_routes.stamped")
        assert heard
    server.until(lambda: server.get("/web_routes/ticks").json()["ticks"] > 1)
    assert "/extensions/web-routes-pack/main.js" in server.get("/extensions").json()
    errors = {pack["name"]: pack["error"] for pack in server.get("/system_stats").json()["system"]["custom_nodes"]}
    assert "SIGSEGV" in errors["crashes"]
    assert errors["web-routes-pack"] is None


def test_a_prompt_that_comes_while_there_is_no_process_waits_for_it(server):
    (worker,) = server.get("/api/health").json()["workers"]
    os.kill(worker["pid"], signal.SIGKILL)
    graph = {"1": node("HabitsMethods", text="waited")}
    assert server.run(graph)["outputs"]["1"]["text"] == ["waited 1"]
