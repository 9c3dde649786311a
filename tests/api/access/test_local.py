"""Without a key only this machine is served. Addresses of others come from the ASGI scope: tests listen on loopback."""

import httpx
import pytest

from inglenook.api.access.local import _PROXY_HEADERS
from inglenook.api.app import create_app
from tests.api.access.conftest import keyed_server
from tests.api.idle import idle_services

LOCAL = ("127.0.0.1", "127.0.0.2", "127.8.9.10", "::1", "::ffff:127.0.0.1")
REMOTE = ("10.0.0.1", "192.168.1.5", "172.17.0.1", "8.8.8.8", "fe80::1%eth0", "2001:db8::1", "::ffff:10.0.0.1", "",
          "localhost", "127.0.0.1.evil", "testclient")  # fmt: skip


async def reply(services, client, path="/queue", method="GET", **headers):
    transport = httpx.ASGITransport(create_app(services), client=client)
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8188", headers=headers) as http:
        return await http.request(method, path)


@pytest.fixture
async def services(tmp_path):
    async with idle_services(tmp_path, host="0.0.0.0") as services:
        yield services


@pytest.fixture
async def insecure(tmp_path):
    async with idle_services(tmp_path, host="0.0.0.0", insecure=True) as services:
        yield services


async def test_this_machine_is_served_by_whatever_loopback_address(services):
    for address in LOCAL:
        assert (await reply(services, (address, 5))).status_code == 200


async def test_other_machines_hear_what_to_do(services):
    for address in REMOTE:
        for path in ("/queue", "/api/queue", "/nothing", "/docs", "/"):
            answer = await reply(services, (address, 5), path)
            assert answer.status_code == 401
            assert "--api-key" in answer.json()["error"]["details"]
            assert "--insecure" in answer.json()["error"]["details"]
    for method in ("POST", "PUT", "DELETE", "HEAD"):
        assert (await reply(services, ("10.0.0.1", 5), "/prompt", method)).status_code == 401


async def test_a_connection_without_an_address_is_not_local(services):
    assert (await reply(services, None)).status_code == 401


@pytest.mark.parametrize("header", [*sorted(name.decode() for name in _PROXY_HEADERS), "x-forwarded-for",
                                    "x-forwarded-host", "X-Forwarded-Proto", "x-forwarded"])  # fmt: skip
async def test_what_a_proxy_hands_on_is_not_local(services, header):
    for value in ("127.0.0.1", "", "for=127.0.0.1"):
        answer = await reply(services, ("127.0.0.1", 5), **{header: value})
        assert answer.status_code == 401
        assert header.lower() in answer.json()["error"]["details"]


async def test_a_foreign_name_that_leads_to_this_machine_is_not_local(services):
    for host in ("evil.example", "evil.example:8188", "192.168.1.5:8188", "[2001:db8::1]:8188", "a@b.example", "["):
        assert (await reply(services, ("127.0.0.1", 5), host=host)).status_code == 401
    answer = await reply(services, ("127.0.0.1", 5), host="evil")
    assert answer.status_code == 200
    for sign in ({"origin": "http://evil"}, {"accept_language": "de"}, {"sec_fetch_site": "same-origin"}):
        assert (await reply(services, ("127.0.0.1", 5), host="evil", **sign)).status_code == 401


async def test_this_machine_may_be_called_by_its_own_names(services):
    for host in ("localhost", "LOCALHOST.:8188", "a.localhost:1", "127.0.0.1", "[::1]:8188", "0.0.0.0:8188"):
        assert (await reply(services, ("127.0.0.1", 5), host=host, accept_language="de")).status_code == 200


async def test_an_allowed_host_is_one_of_this_machine(tmp_path):
    async with idle_services(tmp_path, allowed_hosts=("Box.Example",)) as services:
        assert (await reply(services, ("127.0.0.1", 5), host="box.example:80")).status_code == 200
        assert (await reply(services, ("10.0.0.1", 5), host="box.example:80")).status_code == 401


async def test_a_person_on_another_machine_sees_a_page(services):
    page = {"accept": "text/html", "accept_language": "zh-CN"}
    answer = await reply(services, ("10.0.0.1", 5), "/", **page)
    assert answer.status_code == 401
    assert "inglenook keys add" in answer.text
    assert "本机" in answer.text


async def test_insecure_serves_everybody(insecure):
    for address in REMOTE:
        assert (await reply(insecure, (address, 5), x_forwarded_for="1.2.3.4")).status_code == 200
    assert (await reply(insecure, None)).status_code == 200


async def test_with_a_key_this_machine_needs_it_too(tmp_path):
    for settings in ({}, {"insecure": True}):
        async with idle_services(tmp_path, api_key="a-key-for-everybody", **settings) as services:
            for address in ("127.0.0.1", "10.0.0.1"):
                assert (await reply(services, (address, 5))).status_code == 401
                answer = await reply(services, (address, 5), x_api_key="a-key-for-everybody")
                assert answer.status_code == 200


async def test_over_a_real_socket_a_forwarding_header_makes_a_request_remote(tmp_path):
    async with keyed_server(tmp_path) as server:
        assert (await server.get("/queue")).status_code == 200
        assert (await server.get("/queue", headers={"Forwarded": "for=10.0.0.1"})).status_code == 401
        answer = await server.raw(b"GET /queue HTTP/1.0\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200")
        with pytest.raises(Exception, match="401"):
            async with server.socket(additional_headers={"X-Real-IP": "10.0.0.1"}):
                pass


# What the log says


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"host": "0.0.0.0"}, "only this machine is served"),
        ({"host": "0.0.0.0", "insecure": True}, "everybody who can reach 0.0.0.0"),
        ({"api_key": "shortkey"}, "can be guessed"),
        ({"api_key": "a-long-key-that-nobody-guesses"}, None),
        ({}, None),
    ],
)
def test_a_start_warns_of_an_open_server_and_of_a_closed_one(tmp_path, caplog, settings, said):
    from inglenook.api.access.keyring import KeyRing
    from inglenook.api.access.notices import tell_who_is_served
    from inglenook.settings import Settings

    made = Settings(base_directory=tmp_path, **settings)
    tell_who_is_served(made, KeyRing.of(made))
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == (said is not None)
    assert said is None or said in warnings[0]
