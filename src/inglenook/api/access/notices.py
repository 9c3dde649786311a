"""What the log says at the start about who is served."""

from __future__ import annotations

import logging

from inglenook.api.access.keyring import KeyRing
from inglenook.api.origins import is_loopback
from inglenook.settings import Settings

logger = logging.getLogger(__name__)


def tell_who_is_served(settings: Settings, keys: KeyRing) -> None:
    """Warn of an open server, of keys that may be guessed, and of a server that others will not reach."""
    if any(key.is_guessable for key in keys.keys):
        logger.warning("a short API key can be guessed; 'inglenook keys add' makes one that cannot")
    if keys.is_needed:
        logger.info("every caller must give an API key (%s known)", sum(key.revoked is None for key in keys.keys))
    elif settings.insecure:
        logger.warning("insecure: everybody who can reach %s may use this server, no key is needed", settings.host)
    elif not all(is_loopback(host.strip()) for host in settings.host.split(",")):
        logger.warning(
            "without an API key only this machine is served, although it listens on %s: see --api-key, or"
            " 'inglenook keys add'",
            settings.host,
        )
