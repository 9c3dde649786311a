"""How many assets match each filter that was asked for, kept until a change: counting 100,000 takes milliseconds.

New files are counted on top, since jobs make them all the time; after any other change everything is counted anew.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Any, TypeVar, cast

from inglenook.assets.asset import AssetFilter, Found

T = TypeVar("T")

_MOST = 200
"""Answers kept."""


class Totals:
    """Answers about all assets. Everything is called on the event loop."""

    def __init__(self) -> None:
        self._totals: dict[AssetFilter, Counter[str]] = {}
        self._answers: dict[Hashable, Any] = {}
        self._writes = 0
        self._writing = 0

    async def counts(self, wanted: AssetFilter, count: Callable[[], Awaitable[Counter[str]]]) -> Counter[str]:
        """How many match in each folder."""
        return cast(Counter[str], await self._find(self._totals, wanted, count))

    async def answer(self, question: Hashable, ask: Callable[[], Awaitable[T]]) -> T:
        """What was answered, unless something has changed since."""
        return cast(T, await self._find(self._answers, question, ask))

    async def _find(self, known: dict[Any, Any], key: Hashable, ask: Callable[[], Awaitable[Any]]) -> Any:
        if key in known:
            return known[key]
        writes, is_quiet = self._writes, not self._writing
        answer = await ask()
        # One that was read beside a change may or may not know of it.
        if is_quiet and writes == self._writes:
            if len(known) >= _MOST:
                known.clear()
            known[key] = answer
        return answer

    def watch(self, written: asyncio.Future[T], news: Callable[[T], Sequence[Found] | None]) -> None:
        """Take note of a change that is under way. news: the files that were added by what it returned, and nothing
        else has changed; None when something has."""
        self._writes += 1
        self._writing += 1

        def done(future: asyncio.Future[T]) -> None:
            self._writing -= 1
            has_ended = not future.cancelled() and future.exception() is None
            added = news(future.result()) if has_ended else None
            if added is None:
                self._totals.clear()
                self._answers.clear()
            elif added:
                self._add(added)

        written.add_done_callback(done)

    def _add(self, added: Sequence[Found]) -> None:
        self._answers.clear()
        for wanted in list(self._totals):
            if wanted.name_contains or wanted.metadata:  # what these match is for the database to say
                del self._totals[wanted]
            else:
                more = Counter(file.place.root for file in added if _matches(file, wanted))
                self._totals[wanted] = self._totals[wanted] + more


def _matches(file: Found, wanted: AssetFilter) -> bool:
    """Whether an asset that has just been made of a file matches."""
    tags = {*file.place.tags(), *file.tags}
    return (
        (wanted.user is None or file.owner in ("", wanted.user))
        and (wanted.hash is None or file.hash == wanted.hash)
        and tags.issuperset(wanted.tags_all)
        and (not wanted.tags_any or not tags.isdisjoint(wanted.tags_any))
        and tags.isdisjoint(wanted.tags_none)
    )
