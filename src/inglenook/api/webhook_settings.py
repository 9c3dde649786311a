"""Webhooks as the settings describe them."""

from __future__ import annotations

from inglenook.dispatch.addresses import WebhookRefused
from inglenook.dispatch.webhooks import Webhooks
from inglenook.errors import SettingsError
from inglenook.jobs import ENDS, EVENTS, JobStore, Webhook
from inglenook.settings import Settings


def webhooks_of(settings: Settings, store: JobStore) -> Webhooks:
    """Return what delivers webhooks as the settings say; it is not started.

    Raises SettingsError for a URL or an event that is none.
    """
    unknown = sorted(set(settings.webhook_events) - set(EVENTS))
    if unknown:
        raise SettingsError(f"webhook_events names {', '.join(unknown)}; there are {', '.join(EVENTS)}")
    url, secret = settings.webhook_url, settings.webhook_secret
    webhooks = Webhooks(
        store,
        standing=() if url is None else [Webhook(url, settings.webhook_events or ENDS)],
        secret=None if secret is None else secret.get_secret_value(),
        allow_private=settings.webhook_allow_private,
        timeout_s=settings.webhook_timeout_s,
    )
    if url is not None:
        try:
            webhooks.check(url)
        except WebhookRefused as error:
            raise SettingsError(f"webhook_url: {error}") from error
    return webhooks
