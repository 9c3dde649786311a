"""Addresses that give wrong keys again and again."""

from inglenook.api.access.scopes import Scope
from inglenook.api.access.throttle import ALLOWED, WINDOW_S, Throttle
from tests.api.access.conftest import keyed_server


async def test_an_address_that_guesses_is_slowed_down_and_keys_that_cannot_be_guessed_still_count(tmp_path):
    async with keyed_server(tmp_path, api_key="short-one") as keyed:
        strong = keyed.file.add("strong", Scope.READ)[1]
        keyed.ring.reload()
        cookie = await keyed.logged_in("short-one")
        codes = [(await keyed.get("/queue", f"wrong-{attempt}")).status_code for attempt in range(ALLOWED + 2)]
        assert codes == [401] * (ALLOWED - 1) + [429] * 3
        refused = await keyed.get("/queue", "short-one")
        assert refused.status_code == 429
        assert 0 < int(refused.headers["retry-after"]) <= WINDOW_S
        assert (await keyed.post("/login", data={"key": "short-one"})).status_code == 429
        assert (await keyed.get("/queue", strong)).status_code == 200
        assert (await keyed.get("/queue", headers={"Cookie": cookie})).status_code == 200
        assert (await keyed.get("/queue")).status_code == 401


def test_an_address_may_try_again_later_and_others_never_notice():
    now = [0.0]
    throttle = Throttle(lambda: now[0])
    told = [throttle.note_wrong("10.0.0.1") for _ in range(ALLOWED)]
    assert told == [True] + [False] * (ALLOWED - 1)
    now[0] = 10.0
    assert throttle.wait_s("10.0.0.1") == WINDOW_S - 10
    assert throttle.wait_s("10.0.0.2") == 0
    now[0] = WINDOW_S
    assert throttle.wait_s("10.0.0.1") == 0
    assert throttle.note_wrong("10.0.0.1")


def test_the_addresses_of_one_network_of_ipv6_are_one():
    throttle = Throttle()
    for number in range(ALLOWED):
        throttle.note_wrong(f"2001:db8:1:2::{number:x}")
    assert throttle.wait_s("2001:db8:1:2:ffff::1") > 0
    assert throttle.wait_s("2001:db8:1:3::1") == 0
    assert throttle.wait_s("no address") == 0


def test_a_million_addresses_take_little_memory():
    throttle = Throttle()
    for number in range(20_000):
        throttle.note_wrong(f"10.1.{number >> 8}.{number & 255}")
    assert len(throttle._wrong) <= 4096
