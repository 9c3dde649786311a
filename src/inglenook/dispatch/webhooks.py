"""Delivers what the outbox of the store holds: signed, a bounded number at a time, again and again for a day.

Jobs never wait for any of this. A delivery stays in the store until it has been answered or given up, so a restart only
repeats what was under way: receivers get each delivery at least once and know repetitions by its id.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import random
import ssl
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult

import httpx

from inglenook import __version__
from inglenook.dispatch.addresses import WebhookRefused, checked_url, resolve
from inglenook.dispatch.run import END_EVENTS, Run
from inglenook.engine.events import AnyEvent, Started
from inglenook.errors import JobError
from inglenook.jobs import (
    Attempt,
    Delivery,
    DeliveryFilter,
    DeliveryPage,
    DeliveryState,
    JobId,
    JobStore,
    Webhook,
    now_ms,
)

logger = logging.getLogger(__name__)

SIGNATURE = "Inglenook-Signature"
DELIVERY = "Inglenook-Delivery"
EVENT = "Inglenook-Event"

RETRY_AFTER_S = (10.0, 30.0, 90.0, 300.0, 900.0, 2700.0, 7200.0, 14_400.0, 28_800.0, 28_800.0)
"""Pauses between attempts, each up to a fifth longer or shorter, so that not all come at once: 23 hours in all."""
_JITTER = 0.2
_GONE = 410
_AT_ONCE = 16
_AT_ONCE_EACH = 4
"""Deliveries under way, and those to one receiver: one that hangs leaves room for the others."""
_READ_BYTES = 4096
_LOOK_EVERY_S = 1.0
"""How often new deliveries are looked for, in memory: the start of a job is written without anybody being told."""
_TRIM_EVERY_S = 600.0
_STORE_PAUSE_S = 5.0


def signature(secret: str, time_s: int, body: bytes) -> str:
    """The header that proves who sent a body, and when: HMAC-SHA256 over `<time>.<body>`."""
    digest = hmac.new(secret.encode(), b"%d." % time_s + body, hashlib.sha256).hexdigest()
    return f"t={time_s},v1={digest}"


def next_attempt_s(attempts: int, chance: Callable[[], float] = random.random) -> float | None:
    """Seconds until a delivery that failed this many times is tried again; None when it is given up.

    chance: a number from 0 to 1.
    """
    if attempts > len(RETRY_AFTER_S):
        return None
    return RETRY_AFTER_S[attempts - 1] * (1 + _JITTER * (2 * chance() - 1))


@dataclass(frozen=True, slots=True)
class _Answer:
    """What came of one attempt."""

    status_code: int | None
    error: str | None
    is_final: bool = False
    """Trying again is no use."""


class Webhooks:
    """Sends deliveries from `start` to `close`; listens to the bus to know when there may be some."""

    def __init__(
        self,
        store: JobStore,
        *,
        standing: Sequence[Webhook] = (),
        secret: str | None = None,
        allow_private: bool = False,
        timeout_s: float = 10.0,
        clock_ms: Callable[[], int] = now_ms,
    ) -> None:
        """standing: who hears of every job. secret: signs deliveries of webhooks that have none of their own.

        timeout_s: for one attempt, from the look-up of the name to the head of the answer.
        """
        self._outbox = store.outbox
        self._standing = standing
        self._secret = secret
        self._allow_private = allow_private
        self._timeout_s = timeout_s
        self._clock_ms = clock_ms
        self._sending: dict[int, tuple[Delivery, asyncio.Task[None]]] = {}
        self._wake = asyncio.Event()
        self._seen = -1
        """`written` of the outbox when it was last asked for what is due."""
        self._authorities: ssl.SSLContext | None = None
        self._loop_task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Take the standing webhooks over, then send what is due. Raises WebhookRefused for a URL that is none."""
        for hook in self._standing:
            self.check(hook.url)
        await self._outbox.set_standing(self._standing)
        self._loop_task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """End what is under way; it is sent again after the next start."""
        tasks = [task for _, task in self._sending.values()]
        if self._loop_task is not None:
            tasks.append(self._loop_task)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def check(self, url: str) -> None:
        """Raises WebhookRefused for a URL that no webhook can have."""
        checked_url(url, allow_private=self._allow_private)

    async def register(self, job_id: JobId, hook: Webhook) -> bool:
        """Let somebody hear of a job, also when it has just ended; False when there is no such job.

        Raises WebhookRefused. `Dispatcher.submit` takes webhooks together with the job.
        """
        self.check(hook.url)
        found = await self._outbox.register(job_id, [hook])
        self._wake.set()
        return found

    async def redeliver(self, delivery: Delivery) -> None:
        """Send a delivery again, now, with all attempts before it."""
        await self._outbox.redeliver(delivery)
        self._wake.set()

    async def list(self, wanted: DeliveryFilter, *, limit: int, offset: int = 0) -> DeliveryPage:
        """A page of deliveries, newest first."""
        return await self._outbox.list(wanted, limit=limit, offset=offset)

    async def get(self, delivery_id: str, *, user: str | None = None) -> Delivery | None:
        return await self._outbox.get(delivery_id, user=user)

    async def counts(self) -> dict[DeliveryState, int]:
        """How many deliveries are stored in each state."""
        return await self._outbox.counts()

    # -- the bus -------------------------------------------------------------------------------------------------------

    def run_events(self, run: Run, events: Sequence[AnyEvent]) -> None:
        if isinstance(events[-1], END_EVENTS) or isinstance(events[0], Started):
            self._may_be_more()

    def run_left(self, run: Run) -> None: ...

    def run_retried(self, run: Run, reason: str) -> None: ...

    def runs_cancelled(self, runs: Sequence[Run]) -> None:
        self._may_be_more()

    def queue_changed(self, remaining: int, run: Run | None) -> None: ...

    def notice(self, name: str, data: Any, client_id: str | None) -> None: ...

    def _may_be_more(self) -> None:
        if self._outbox.written != self._seen:
            self._wake.set()

    # -- the loop ------------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        trim_at = 0.0
        while True:
            self._wake.clear()
            try:
                wait_s = await self._send_due()
                if time.monotonic() >= trim_at:
                    trim_at = 0.0 if await self._outbox.trim() else time.monotonic() + _TRIM_EVERY_S
                    wait_s = wait_s if trim_at else 0.0
            except JobError as error:
                logger.error("webhooks wait for the store: %s", error)
                wait_s = _STORE_PAUSE_S
            except Exception:
                logger.exception("webhooks failed")
                wait_s = _STORE_PAUSE_S
            await self._wait(wait_s)

    async def _wait(self, wait_s: float) -> None:
        """Wait until somebody wakes us, something new has been written, or the time is over."""
        until_s = time.monotonic() + wait_s
        while (left_s := until_s - time.monotonic()) > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(min(left_s, _LOOK_EVERY_S)):
                    await self._wake.wait()
            if self._wake.is_set() or self._outbox.written != self._seen:
                return

    async def _send_due(self) -> float:
        """Begin what is due and has room; returns after how many seconds to look again."""
        self._seen = self._outbox.written
        now = self._clock_ms()
        while (room := _AT_ONCE - len(self._sending)) > 0:
            counted = Counter(delivery.origin for delivery, _ in self._sending.values())
            busy = [origin for origin, count in counted.items() if count >= _AT_ONCE_EACH]
            due = await self._outbox.due(now, room, list(self._sending), busy)
            begun = 0
            for delivery in due:
                if counted[delivery.origin] < _AT_ONCE_EACH:
                    counted[delivery.origin] += 1
                    begun += 1
                    task = asyncio.create_task(self._deliver(delivery))
                    self._sending[delivery.sequence] = (delivery, task)
            if not due or not begun:
                break
        next_ms = await self._outbox.next_due_ms(now)
        return _TRIM_EVERY_S if next_ms is None else min(_TRIM_EVERY_S, max(0.0, (next_ms - self._clock_ms()) / 1000))

    async def _deliver(self, delivery: Delivery) -> None:
        try:
            answer = await self._attempt(delivery)
            await self._record(delivery, answer)
        except JobError as error:  # it stays due
            logger.error("a delivery could not be recorded: %s", error)
            await asyncio.sleep(_STORE_PAUSE_S)
        finally:
            self._sending.pop(delivery.sequence, None)
            self._wake.set()

    async def _record(self, delivery: Delivery, answer: _Answer) -> None:
        about = {"job": delivery.job_id, "delivery": delivery.id}
        now, attempts = self._clock_ms(), delivery.attempts + 1
        if answer.error is None:
            attempt = Attempt(DeliveryState.delivered, now, None, answer.status_code, None)
            logger.debug("told %s of job %s", delivery.origin, delivery.job_id, extra=about)
        else:
            pause_s = None if answer.is_final else next_attempt_s(attempts)
            if pause_s is None:
                attempt = Attempt(DeliveryState.failed, now, None, answer.status_code, answer.error)
                logger.warning("gave up to tell %s of job %s after %d attempts: %s", delivery.origin,
                               delivery.job_id, attempts, answer.error, extra=about)  # fmt: skip
            else:
                next_ms = now + round(pause_s * 1000)
                attempt = Attempt(DeliveryState.pending, now, next_ms, answer.status_code, answer.error)
                logger.info("could not tell %s of job %s, again in %.0f s: %s", delivery.origin,
                            delivery.job_id, pause_s, answer.error, extra=about)  # fmt: skip
        await self._outbox.record(delivery, attempt)

    async def _attempt(self, delivery: Delivery) -> _Answer:
        try:
            async with asyncio.timeout(self._timeout_s):
                parts = checked_url(delivery.url, allow_private=self._allow_private)
                addresses = await resolve(parts, allow_private=self._allow_private)
                return await self._post(delivery, parts, addresses)
        except WebhookRefused as error:
            return _Answer(None, str(error), is_final=True)
        except TimeoutError:
            return _Answer(None, f"no answer within {self._timeout_s:g} s")
        except (OSError, httpx.HTTPError, httpx.InvalidURL) as error:
            return _Answer(None, (str(error) or type(error).__name__)[:300])
        except Exception as error:
            logger.exception("an attempt to tell %s failed", delivery.origin)
            return _Answer(None, type(error).__name__)

    async def _post(self, delivery: Delivery, parts: SplitResult, addresses: Sequence[str]) -> _Answer:
        """Send to the first address that takes a connection; what the answer says beyond its status is not kept."""
        last: httpx.TransportError | None = None
        # A client for each: connections are kept by address, and one that was made for a name must serve no other name.
        trusted = await self._trusted() if parts.scheme == "https" else False
        async with httpx.AsyncClient(verify=trusted, trust_env=False, timeout=self._timeout_s) as client:
            for address in addresses:
                request = client.build_request(
                    "POST",
                    _at_address(parts, address),
                    content=delivery.body,
                    headers={"Host": parts.netloc, **self._headers(delivery)},
                    extensions={"sni_hostname": parts.hostname},
                )
                try:
                    response = await client.send(request, stream=True)
                except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                    last = error
                    continue
                try:
                    await _skim(response)
                finally:
                    await response.aclose()
                return _judged(response.status_code)
        assert last is not None
        raise last

    async def _trusted(self) -> ssl.SSLContext:
        """The authorities that https is trusted by: certifi's, or those of SSL_CERT_FILE. Read once, in 20 ms."""
        if self._authorities is None:
            self._authorities = await asyncio.to_thread(httpx.create_ssl_context)
        return self._authorities

    def _headers(self, delivery: Delivery) -> dict[str, str]:
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"inglenook/{__version__}",
            EVENT: delivery.event,
            DELIVERY: delivery.id,
        }
        secret = delivery.secret or self._secret
        if secret:
            headers[SIGNATURE] = signature(secret, self._clock_ms() // 1000, delivery.body)
        return headers


def _at_address(parts: SplitResult, address: str) -> str:
    host = f"[{address}]" if ":" in address else address
    port = "" if parts.port is None else f":{parts.port}"
    return parts._replace(netloc=host + port, fragment="").geturl()


async def _skim(response: httpx.Response) -> None:
    """Read the beginning of an answer, so that the receiver can finish writing it; the rest is cut off."""
    size = 0
    with suppress(httpx.HTTPError):
        async for piece in response.aiter_raw(_READ_BYTES):
            size += len(piece)
            if size >= _READ_BYTES:
                return


def _judged(status_code: int) -> _Answer:
    if 200 <= status_code < 300:
        return _Answer(status_code, None)
    if 300 <= status_code < 400:
        return _Answer(status_code, f"it answered {status_code}; redirects are not followed")
    return _Answer(status_code, f"it answered {status_code}", is_final=status_code == _GONE)
