"""Answers that other threads give to futures of the event loop."""

from __future__ import annotations

import asyncio
from typing import Any


def settle(future: asyncio.Future[Any], outcome: object) -> None:
    """Give a future its outcome, an exception too, unless whoever waited for it has gone."""
    if future.done():
        return
    if isinstance(outcome, BaseException):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
