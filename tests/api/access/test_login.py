"""Browsers: the page at /login, its cookie, and what may be done with it."""

import json
import re

import pytest
from websockets.exceptions import InvalidStatus

from inglenook.api.access.login import safe_next
from tests.api.access.conftest import GIVEN, keyed_server

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAGE = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.mark.parametrize(
    ("path", "address"),
    [
        ("/", "./login"),
        ("/docs", "./login?next=docs"),
        ("/?a=b&c", "./login?next=%3Fa%3Db%26c"),
        ("/view?filename=a%20b.png", "./login?next=view%3Ffilename%3Da%2520b.png"),
        ("/a/b/c", "../../login?next=a%2Fb%2Fc"),
        ("//evil.example/a", "../../login?next=evil.example%2Fa"),
        ("/login/x", "../login"),
    ],
)
async def test_a_browser_that_goes_somewhere_is_sent_to_the_login(keyed, path, address):
    for mode in ({}, {"Sec-Fetch-Mode": "navigate"}):
        async with keyed.client(headers={**PAGE, **mode}) as http:
            answer = await http.get(keyed.url + path)
        assert answer.status_code == 303
        assert answer.headers["location"] == address
        assert answer.headers["cache-control"] == "no-store"


async def test_what_a_page_loads_is_not_sent_there(keyed):
    for headers in ({**PAGE, "Sec-Fetch-Mode": "cors"}, {"Accept": "*/*"}, {"Accept": "image/webp"}):
        assert (await keyed.get("/queue", headers=headers)).status_code == 401
    assert (await keyed.post("/prompt", {}, headers=PAGE)).status_code == 401


@pytest.mark.parametrize(
    ("accepted", "language", "word"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh-CN", "登录"),
        ("en-US,en;q=0.9,zh;q=0.8", "en", "Log in"),
        ("zh-TW", "zh-CN", "API 密钥"),
        ("de", "en", "API key"),
        ("en;q=x, zh;q=nan", "en", "Log in"),
        ("", "en", "Log in"),
    ],
)
async def test_the_page_speaks_the_readers_language_and_needs_no_script(keyed, accepted, language, word):
    answer = await keyed.get("/login?next=docs", headers={"Accept-Language": accepted})
    assert answer.status_code == 200
    assert f'<html lang="{language}">' in answer.text
    assert word in answer.text
    assert "<script" not in answer.text
    assert 'value="docs"' in answer.text
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "form-action 'self'" in policy


async def test_a_key_becomes_a_cookie_that_scripts_cannot_read(keyed):
    async with keyed.client(headers={"Origin": keyed.url}) as http:
        answer = await http.post("/login", data={"key": f" {GIVEN}\n", "next": "docs?a=b"})
    assert answer.status_code == 303
    assert answer.headers["location"] == "./docs?a=b"
    cookie = answer.headers["set-cookie"]
    assert re.match(r"inglenook-[0-9a-f]{8}=\S+; Path=/; Max-Age=\d+; HttpOnly; SameSite=Lax$", cookie)
    assert GIVEN not in cookie
    cookie = {"Cookie": f"other=1; {cookie.partition(';')[0]}; more=2"}
    assert (await keyed.get("/queue", headers=cookie)).status_code == 200
    async with keyed.socket(additional_headers={**cookie, "Origin": keyed.url}) as socket:
        assert json.loads(await socket.recv())["type"] == "status"


@pytest.mark.parametrize("proof", [{"X-Forwarded-Proto": "https"}, {"Origin": "https://{}"}])
async def test_the_cookie_is_for_https_alone_where_the_browser_sees_https(keyed, proof):
    host = f"127.0.0.1:{keyed.port}"
    headers = {"Sec-Fetch-Site": "same-origin", **{name: value.format(host) for name, value in proof.items()}}
    async with keyed.client(headers=headers) as http:
        answer = await http.post("/login", data={"key": GIVEN})
    assert answer.headers["set-cookie"].endswith("; Secure")


@pytest.mark.parametrize("key", ["", "wrong-wrong-wrong", "ü" * 20, "\0", "a" * 8000])
async def test_a_wrong_key_shows_the_page_again(keyed, key):
    answer = await keyed.post("/login", data={"key": key, "next": '"><script>'}, headers={"Origin": keyed.url})
    assert answer.status_code in (401, 413)
    assert "set-cookie" not in answer.headers
    assert "<script" not in answer.text


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"&" * 5000, b"key", b"{}", b"a=1&" * 100])
async def test_what_is_no_form_does_no_harm(keyed, body):
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await keyed.post("/login", content=body, headers=headers)
    assert 400 <= answer.status_code < 500


async def test_a_form_without_end_is_not_kept(keyed):
    answer = await keyed.post("/login", content=b"key=" + b"a" * 1_000_000)
    assert answer.status_code == 413


@pytest.mark.parametrize("wanted", ["//evil.example", "/\\evil.example", "\\/evil.example", "http://evil.example",
                                    "javascript:alert(1)", "/%2fevil.example", "a\tb", "a\r\nSet-Cookie: x=1",
                                    "./\\evil", "é", "a" * 3000, "/login?next=/login"])  # fmt: skip
async def test_the_login_leads_to_no_other_site(keyed, wanted):
    answer = await keyed.post("/login", data={"key": GIVEN, "next": wanted}, headers={"Origin": keyed.url})
    assert answer.status_code == 303
    location = answer.headers["location"]
    assert re.match(r"\./(?![/\\])[^\\\s]*$", location), location
    import httpx

    assert httpx.URL(f"{keyed.url}/login").join(location).host == "127.0.0.1"


async def test_safe_next_keeps_addresses_of_this_server():
    for path in ("docs", "view?filename=a%20b.png&type=output", "?x=1", "a/b/#c"):
        assert safe_next(f"/{path}") == path


async def test_logging_out_takes_the_cookie_away(keyed):
    cookie = await keyed.logged_in(GIVEN)
    page = await keyed.get("/login", headers={"Cookie": cookie})
    assert 'action="logout"' in page.text
    answer = await keyed.post("/logout", headers={"Cookie": cookie, "Origin": keyed.url})
    assert answer.status_code == 303
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert (await keyed.get("/logout")).status_code == 405
    assert (await keyed.post("/login/")).status_code == 401


# What a cookie is good for

FOREIGN = [
    {},
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:1"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:9999"},
]


@pytest.mark.parametrize("headers", FOREIGN)
@pytest.mark.parametrize("cors", [None, "*", "https://app.example"])
async def test_a_page_of_another_site_can_do_nothing_with_the_login(keyed, tmp_path_factory, headers, cors):
    if cors is None:
        await check_foreign(keyed, headers)
        return
    async with keyed_server(tmp_path_factory.mktemp("cors"), api_key=GIVEN, cors_origin=cors) as server:
        await check_foreign(server, headers)


async def check_foreign(server, headers):
    headers = {**headers, "Cookie": await server.logged_in(GIVEN)}
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        async with server.client(headers=headers) as http:
            assert (await http.request(method, "/queue", json={"clear": True})).status_code in (401, 403)
    with pytest.raises(InvalidStatus) as refused:
        async with server.socket(additional_headers=headers):
            pass
    assert refused.value.response.status_code in (401, 403)


@pytest.mark.parametrize("site", ["same-site", "cross-site"])
async def test_what_a_page_of_another_site_embeds_is_not_sent(keyed, site):
    headers = {"Cookie": await keyed.logged_in(GIVEN), "Sec-Fetch-Site": site}
    assert (await keyed.get("/queue", headers={**headers, "Sec-Fetch-Mode": "no-cors"})).status_code == 401
    assert (await keyed.get("/queue", headers={**headers, "Sec-Fetch-Mode": "navigate"})).status_code == 200


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "same-origin"}, {"Origin": "{}"},
                                     {"Origin": "{}", "Sec-Fetch-Site": "same-origin"}])  # fmt: skip
async def test_the_servers_own_page_can_do_everything(keyed, headers):
    headers = {name: value.format(keyed.url) for name, value in headers.items()}
    headers["Cookie"] = await keyed.logged_in(GIVEN)
    assert (await keyed.post("/queue", {"clear": True}, headers=headers)).status_code == 200
    async with keyed.socket(additional_headers=headers) as socket:
        await socket.recv()


async def test_a_page_that_cors_lets_in_may_use_the_login(tmp_path):
    async with keyed_server(tmp_path, api_key=GIVEN, cors_origin="https://app.example") as server:
        headers = {"Cookie": await server.logged_in(GIVEN), "Origin": "https://app.example"}
        assert (await server.post("/queue", {"clear": True}, headers=headers)).status_code == 200


async def test_a_form_of_another_site_can_log_nobody_in_or_out(keyed):
    for path in ("/login", "/logout"):
        for headers in FOREIGN[1:]:
            answer = await keyed.post(path, data={"key": GIVEN}, headers=headers)
            assert answer.status_code == 403, (path, headers)
            assert "set-cookie" not in answer.headers


async def test_a_cookie_has_the_scope_of_its_key(keyed):
    headers = {"Cookie": await keyed.logged_in(keyed.made["read"]), "Origin": keyed.url}
    assert (await keyed.get("/queue", headers=headers)).status_code == 200
    assert (await keyed.post("/queue", {"clear": True}, headers=headers)).status_code == 403


CHANGES = [
    lambda value: value[:-1] + ("0" if value[-1] != "0" else "1"),
    lambda value: value.replace(".", ".9", 1),
    lambda value: value[1:],
    lambda value: "",
    lambda value: value + ".x",
    lambda value: "é" + value,
    lambda value: "..",
    lambda value: value.replace(".", ".٣", 1),
]


@pytest.mark.parametrize("change", CHANGES)
async def test_a_cookie_that_was_not_made_here_is_none(keyed, change):
    name, _, value = (await keyed.logged_in(GIVEN)).partition("=")
    headers = {"Cookie": f"{name}={change(value)}".encode()}
    assert (await keyed.get("/queue", headers=headers)).status_code == 401


async def test_a_login_survives_a_restart_but_not_its_key(tmp_path):
    async with keyed_server(tmp_path, api_key=f"{GIVEN},another-key-for-the-restart") as server:
        cookie = {"Cookie": await server.logged_in(GIVEN)}
    async with keyed_server(tmp_path, api_key=GIVEN) as server:
        assert (await server.get("/queue", headers=cookie)).status_code == 200
    async with keyed_server(tmp_path, api_key="another-key-for-the-restart") as server:
        assert (await server.get("/queue", headers=cookie)).status_code == 401


async def test_a_login_ends_in_time(tmp_path, monkeypatch):
    from inglenook.api.access import sessions

    async with keyed_server(tmp_path, api_key=GIVEN) as server:
        monkeypatch.setattr(sessions, "LIFETIME_S", -1)
        cookie = await server.logged_in(GIVEN)
        assert (await server.get("/queue", headers={"Cookie": cookie})).status_code == 401


async def test_a_server_without_keys_needs_no_login(tmp_path):
    async with keyed_server(tmp_path) as server:
        answer = await server.get("/login")
    assert (answer.status_code, answer.headers["location"]) == (303, "./")
