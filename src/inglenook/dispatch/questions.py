"""What only the code of node packs can say, asked of the workers that have it, for a short time each.

No answer in time is an answer too: the validators of a busy or dead worker are asked again when the run starts, a list
of choices is the one that was told last, a prompt is used as it came.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
import orjson

from inglenook.dispatch.catalogs import Catalogs
from inglenook.engine.validators import ValidatorAnswer, ValidatorCall
from inglenook.workers.messages import AskValidators, DescribeClasses, RewritePrompt
from inglenook.workers.worker import Worker

logger = logging.getLogger(__name__)

PATIENCE_S = 2.0
"""How long a worker has for an answer."""

Answers = dict[str, ValidatorAnswer]
_answers_decoder = msgspec.msgpack.Decoder(Answers)
_documents_decoder = msgspec.msgpack.Decoder(dict[str, Any])


class PackQuestions:
    """Asks the workers of one server."""

    def __init__(self, workers: Callable[[], Sequence[Worker]], catalogs: Catalogs) -> None:
        self._workers = workers
        self._catalogs = catalogs
        self._describing = asyncio.Lock()
        self._next: asyncio.Task[None] | None = None
        """The description that has not begun: whoever asks now waits for it."""

    def _with_packs(self) -> list[Worker]:
        return [worker for worker in self._workers() if any(pack.classes for pack in worker.packs)]

    async def validate(self, calls: Sequence[ValidatorCall]) -> Answers | None:
        """What the validators say, by node id; None when some could not be asked."""
        wanted = {call.class_type for call in calls}
        for worker in self._workers():
            if worker.documents is not None and wanted <= worker.documents.keys():
                body = await worker.ask(AskValidators(list(calls)), PATIENCE_S)
                if body is not None:
                    return _answers_decoder.decode(body)
        return None

    def of_packs(self, class_types: Iterable[str]) -> bool:
        """Whether some of these classes come from packs."""
        known = {name for worker in self._workers() for pack in worker.packs for name in pack.classes}
        return not known.isdisjoint(class_types)

    async def refresh(self) -> None:
        """Have the catalog's entries of packs say what their code says now.

        One description at a time; it serves all who asked before it began, so that none of them sees what was true
        before its own request: a list without the file that was just uploaded.
        """
        if not self._with_packs():
            return
        if self._next is None:
            self._next = asyncio.get_running_loop().create_task(self._describe())
        await asyncio.shield(self._next)

    async def _describe(self) -> None:
        async with self._describing:
            self._next = None
            for worker in self._with_packs():
                # Told once only: an answer that comes late must not be lost.
                body = await worker.ask(DescribeClasses(), PATIENCE_S, late=self._learn)
                if body is not None:
                    self._learn(body)

    def _learn(self, body: bytes) -> None:
        self._catalogs.change(_documents_decoder.decode(body))

    async def rewrite(self, body: Any) -> Any:
        """The body of a `POST /prompt` as packs want it."""
        for worker in self._workers():
            if worker.rewrites_prompts:
                answer = await worker.ask(RewritePrompt(orjson.dumps(body)), PATIENCE_S)
                if answer is not None:
                    body = orjson.loads(answer)
        return body
