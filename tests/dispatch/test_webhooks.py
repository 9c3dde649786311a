"""Deliveries go out signed, come again when they fail, and keep nobody waiting."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import socket
import ssl
import time
from contextlib import asynccontextmanager

import pytest

from inglenook.dispatch import webhooks as module
from inglenook.dispatch.addresses import WebhookRefused
from inglenook.dispatch.webhooks import RETRY_AFTER_S, Webhooks, next_attempt_s
from inglenook.jobs import DeliveryFilter, DeliveryState, Job, JobId, JobResult, JobStore, State, Webhook, now_ms
from tests.api.test_tls import make_pair, needs_openssl
from tests.databases import url_of
from tests.dispatch.receiver import receiver


@pytest.fixture
def hook():
    with receiver() as one:
        yield one


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """There is no bus here that says when to look."""
    monkeypatch.setattr(module, "_LOOK_EVERY_S", 0.02)


@asynccontextmanager
async def sending(folder, **options):
    async with JobStore.open(url_of(folder)) as store:
        webhooks = Webhooks(store, **{"allow_private": True, **options})
        await webhooks.start()
        try:
            yield store, webhooks
        finally:
            await webhooks.close()


async def end_job(store, job_id, *hooks):
    job = Job(JobId(job_id), 1, b"{}", ("1",), job_id, 1)
    await store.add(job, hooks)
    await store.claim(job.id, "cpu", 1)
    # Now, since deliveries of long ago are removed as soon as they are done.
    await store.finish(job.id, 1, JobResult(State.succeeded, now_ms()))


async def until(store, condition):
    """The deliveries, oldest first, once they fulfil a condition."""
    async with asyncio.timeout(60):
        while True:
            found = (await store.outbox.list(DeliveryFilter(), limit=100)).deliveries[::-1]
            if found and condition(found):
                return found
            await asyncio.sleep(0.02)


def all_are(state):
    return lambda found: all(one.state is state for one in found)


async def test_a_delivery_is_signed_and_names_its_event(tmp_path, hook) -> None:
    async with sending(tmp_path, secret="of the server") as (store, _):
        await end_job(store, "a", Webhook(hook.url, secret="of the task"), Webhook(hook.url))
        found = await until(store, all_are(DeliveryState.delivered))
    assert [one.status_code for one in found] == [200, 200]
    used = set()
    for path, headers, body in hook.until(2):
        assert path == "/hook?a=1"
        assert headers["Host"] == hook.url.split("/")[2]
        assert headers["Content-Type"] == "application/json"
        assert headers["Inglenook-Event"] == json.loads(body)["event"] == "task.succeeded"
        assert headers["Inglenook-Delivery"] == json.loads(body)["id"]
        stamp, given = (part.split("=")[1] for part in headers["Inglenook-Signature"].split(","))
        assert abs(time.time() - int(stamp)) < 60
        for secret in ("of the server", "of the task"):
            message = stamp.encode() + b"." + body
            if hmac.compare_digest(given, hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()):
                used.add(secret)
    assert used == {"of the server", "of the task"}


async def test_without_a_secret_nothing_is_signed(tmp_path, hook) -> None:
    async with sending(tmp_path) as (store, _):
        await end_job(store, "a", Webhook(hook.url))
        ((_, headers, _),) = await asyncio.to_thread(hook.until, 1)
    assert "Inglenook-Signature" not in headers


async def test_a_delivery_that_fails_comes_again_over_a_restart(tmp_path, hook, monkeypatch) -> None:
    monkeypatch.setattr(module, "RETRY_AFTER_S", (0.01,) * 10)
    hook.answers = [500, 503, 404]
    async with sending(tmp_path) as (store, _):
        await end_job(store, "a", Webhook(hook.url))
        await until(store, lambda found: found[0].attempts >= 1)
    async with sending(tmp_path) as (store, _):
        (delivery,) = await until(store, all_are(DeliveryState.delivered))
    assert len(hook.requests) == 4
    assert delivery.attempts in (3, 4)  # one may have been under way when the server stopped: it does not count
    assert len({body for _, _, body in hook.requests}) == 1


async def test_a_receiver_that_is_not_there_is_tried_again_and_at_last_given_up(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(module, "RETRY_AFTER_S", (0.01, 0.01))
    async with sending(tmp_path) as (store, _):
        await end_job(store, "a", Webhook("http://127.0.0.1:1/"))
        (delivery,) = await until(store, all_are(DeliveryState.failed))
    assert (delivery.attempts, delivery.status_code, delivery.next_ms) == (3, None, None)
    assert delivery.error


async def test_redirects_are_not_followed(tmp_path, hook) -> None:
    hook.answers = [302]
    hook.headers = {"Location": hook.url}
    async with sending(tmp_path) as (store, _):
        await end_job(store, "a", Webhook(hook.url))
        (delivery,) = await until(store, lambda found: found[0].attempts == 1)
    assert (delivery.state, delivery.status_code) == (DeliveryState.pending, 302)
    assert "redirect" in delivery.error
    assert len(hook.requests) == 1


async def test_a_receiver_that_is_gone_is_not_tried_again(tmp_path, hook) -> None:
    hook.answers = [410]
    async with sending(tmp_path) as (store, _):
        await end_job(store, "a", Webhook(hook.url))
        (delivery,) = await until(store, all_are(DeliveryState.failed))
    assert delivery.attempts == 1


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
async def test_private_addresses_are_never_connected_to(tmp_path, hook, host) -> None:
    url = hook.url.replace("127.0.0.1", host)
    async with sending(tmp_path, allow_private=False) as (store, webhooks):
        await end_job(store, "a", Webhook(url))
        (delivery,) = await until(store, all_are(DeliveryState.failed))
        assert "webhook_allow_private" in delivery.error
        with pytest.raises(WebhookRefused):
            await webhooks.register(JobId("a"), Webhook("http://127.0.0.1/"))
    assert hook.requests == []


async def test_a_receiver_that_hangs_leaves_room_for_others(tmp_path, hook) -> None:
    with receiver() as slow:
        slow.released.clear()
        async with sending(tmp_path, timeout_s=60) as (store, _):
            await end_job(store, "a", *[Webhook(slow.url)] * 30)
            await asyncio.to_thread(slow.until, 4)
            await end_job(store, "b", *[Webhook(hook.url)] * 3)
            await asyncio.to_thread(hook.until, 3)
            assert len(slow.requests) == 4
            slow.released.set()
            await until(store, all_are(DeliveryState.delivered))


async def test_a_receiver_that_takes_too_long_counts_as_failed(tmp_path, hook) -> None:
    hook.released.clear()
    async with sending(tmp_path, timeout_s=0.1) as (store, _):
        await end_job(store, "a", Webhook(hook.url))
        (delivery,) = await until(store, lambda found: found[0].attempts == 1)
    assert "no answer within 0.1 s" in delivery.error


async def test_a_delivery_is_sent_again_when_somebody_asks(tmp_path, hook) -> None:
    async with sending(tmp_path) as (store, webhooks):
        await end_job(store, "a", Webhook(hook.url))
        (delivery,) = await until(store, all_are(DeliveryState.delivered))
        await webhooks.redeliver(delivery)
        first, second = await asyncio.to_thread(hook.until, 2)
    assert first[2] == second[2]


@needs_openssl
@pytest.mark.parametrize(("host", "is_heard"), [("localhost", True), ("127.0.0.1", True), ("other.localhost", False)])
async def test_https_is_trusted_by_the_name_in_the_url(tmp_path, monkeypatch, host, is_heard) -> None:
    key, certificate = make_pair(tmp_path, "own")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    monkeypatch.setattr(module, "RETRY_AFTER_S", ())
    loop = asyncio.get_running_loop()

    async def here(_host, port, **_options):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(loop, "getaddrinfo", here)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    with receiver(tls) as one:
        async with sending(tmp_path) as (store, _):
            await end_job(store, "a", Webhook(one.url.replace("127.0.0.1", host)))
            (delivery,) = await until(store, lambda found: found[0].attempts == 1)
    assert len(one.requests) == is_heard
    assert is_heard or "mismatch" in delivery.error


@needs_openssl
async def test_https_that_nobody_vouches_for_is_refused(tmp_path) -> None:
    key, certificate = make_pair(tmp_path, "own")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    with receiver(tls) as one:
        async with sending(tmp_path) as (store, _):
            await end_job(store, "a", Webhook(one.url))
            (delivery,) = await until(store, lambda found: found[0].attempts == 1)
    assert one.requests == []
    assert "certificate" in delivery.error.lower()


def test_attempts_go_on_for_a_day() -> None:
    pauses = [next_attempt_s(count, lambda: 0.5) for count in range(1, len(RETRY_AFTER_S) + 2)]
    assert pauses[-1] is None
    assert 20 * 3600 < sum(pauses[:-1]) < 26 * 3600
    assert next_attempt_s(1, lambda: 0.0) < next_attempt_s(1, lambda: 1.0)
