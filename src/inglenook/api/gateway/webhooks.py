"""`/api/webhooks/deliveries`: what was sent to whom, and sending it again.

A task names its webhook when it is submitted (`webhook_of`), the settings name one for all.
"""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, Field

from inglenook.api.access.scopes import Scope, scope_of
from inglenook.api.deps import CurrentServices, Services, owner
from inglenook.api.errors import ApiError
from inglenook.api.gateway.refusals import refusals
from inglenook.dispatch.addresses import WebhookRefused
from inglenook.jobs import ENDS, EVENTS, Delivery, DeliveryFilter, DeliveryState, JobId, Webhook

router = APIRouter(prefix="/api", tags=["webhooks"])

_LONGEST_SECRET = 500


class DeliveryEntry(BaseModel):
    """A message to one receiver; times are milliseconds since the epoch."""

    id: str = Field(description="Also in the header `Inglenook-Delivery` and in the body: the same for each repetition")
    task_id: str
    event: str = Field(examples=list(EVENTS))
    url: str = Field(description="Where it goes; of the global webhook only the host, unless the key is admin")
    state: DeliveryState
    attempts: int
    created_ms: int
    next_attempt_ms: int | None = Field(description="When it is tried (again), while it is pending")
    last_attempt_ms: int | None
    status_code: int | None = Field(description="Of the last answer; null where there was none")
    error: str | None = Field(description="Why the last attempt failed")
    is_global: bool = Field(description="The settings ask for it, not the task")


class Deliveries(BaseModel):
    """A part of the deliveries, newest first."""

    deliveries: list[DeliveryEntry]
    total: int = Field(description="How many match in all")
    page: int
    limit: int


TaskId = Annotated[str | None, Query(description="Only those of this task", max_length=500, pattern=r"^[^\x00]*$")]
DeliveryId = Annotated[str, Path(max_length=100, pattern=r"^[^\x00]*$")]


@router.get("/webhooks/deliveries", summary="What was sent to webhooks", responses=refusals(422))
async def get_deliveries(
    request: Request,
    server: CurrentServices,
    task_id: TaskId = None,
    state: Annotated[DeliveryState | None, Query(description="Only those that stand here")] = None,
    event: Annotated[str | None, Query(description="Only those that tell this", pattern=r"^task\.[a-z]+$")] = None,
    page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> Deliveries:
    """Deliveries that wait, and those of the last seven days (10,000 at most)."""
    wanted = DeliveryFilter(owner(request), None if task_id is None else JobId(task_id), state, event)
    found = await server.webhooks.list(wanted, limit=limit, offset=(page - 1) * limit)
    entries = [_entry(delivery, request) for delivery in found.deliveries]
    return Deliveries(deliveries=entries, total=found.total, page=page, limit=limit)


@router.get("/webhooks/deliveries/{delivery_id}", summary="One delivery", responses=refusals(404, 422))
async def get_delivery(request: Request, server: CurrentServices, delivery_id: DeliveryId) -> DeliveryEntry:
    return _entry(await _delivery(request, server, delivery_id), request)


@router.post(
    "/webhooks/deliveries/{delivery_id}/redeliver",
    status_code=202,
    summary="Send a delivery again",
    responses=refusals(404, 422),
)
async def post_redeliver(request: Request, server: CurrentServices, delivery_id: DeliveryId) -> DeliveryEntry:
    """Send it now, whatever became of it, and again as often as a new one if need be."""
    await server.webhooks.redeliver(await _delivery(request, server, delivery_id))
    return _entry(await _delivery(request, server, delivery_id), request)


def webhook_of(server: Services, given: Any) -> Webhook:
    """The webhook that a task names: a URL, or `{"url", "events", "secret"}`. Raises ApiError 422."""
    fields = {"url": given} if isinstance(given, str) else given
    if not isinstance(fields, dict) or not isinstance(fields.get("url"), str):
        raise _refused('webhook must be a URL or {"url", "events", "secret"}')
    if unknown := sorted(str(name) for name in set(fields) - {"url", "events", "secret"}):
        raise _refused(f"webhook has no {', '.join(unknown)[:200]}; there are url, events, secret")
    events, secret = fields.get("events"), fields.get("secret")
    if events is None:
        events = list(ENDS)
    if not isinstance(events, list) or not events or any(event not in EVENTS for event in events):
        raise _refused(f"webhook.events must list some of {', '.join(EVENTS)}")
    if secret is not None and not (isinstance(secret, str) and _is_usable(secret)):
        raise _refused(f"webhook.secret must be text of 1 to {_LONGEST_SECRET} printable characters")
    try:
        server.webhooks.check(fields["url"])
    except WebhookRefused as error:
        raise _refused(str(error)) from None
    return Webhook(fields["url"], tuple(dict.fromkeys(events)), secret)


def _is_usable(secret: str) -> bool:
    return 0 < len(secret) <= _LONGEST_SECRET and secret.isprintable()


def _refused(details: str) -> ApiError:
    return ApiError(422, "invalid_webhook", "This webhook cannot be used", details)


async def _delivery(request: Request, server: Services, delivery_id: str) -> Delivery:
    found = await server.webhooks.get(delivery_id, user=owner(request))
    if found is None:
        raise ApiError(404, "not_found", f"There is no delivery {delivery_id!r}")
    return found


def _entry(delivery: Delivery, request: Request) -> DeliveryEntry:
    url = delivery.url
    if delivery.is_standing and scope_of(request) < Scope.ADMIN:
        parts = urlsplit(url)
        url = f"{parts.scheme}://{parts.netloc}/"
    return DeliveryEntry(
        id=delivery.id,
        task_id=delivery.job_id,
        event=delivery.event,
        url=url,
        state=delivery.state,
        attempts=delivery.attempts,
        created_ms=delivery.created_ms,
        next_attempt_ms=delivery.next_ms,
        last_attempt_ms=delivery.last_ms,
        status_code=delivery.status_code,
        error=delivery.error,
        is_global=delivery.is_standing,
    )
