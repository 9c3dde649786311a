"""Answers, inside the device process, what the API process asks beside a run: validators, descriptions, prompts.

One thread answers, one question after another; a graph may run meanwhile, as with ComfyUI, whose server asks the same
code in its own thread. The API process does not wait for long, so a slow answer costs nothing but itself.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from collections.abc import Callable
from typing import Any

import msgspec
import orjson

from inglenook.engine.async_calls import AsyncCalls
from inglenook.engine.implementation import NodeImplementation
from inglenook.engine.validators import ValidatorAnswer, ValidatorCall, answer
from inglenook.workers.messages import Answer, Ask, AskValidators, DescribeClasses, RewritePrompt

logger = logging.getLogger(__name__)


class Answerer:
    """Takes questions on any thread."""

    def __init__(
        self,
        implementations: dict[str, NodeImplementation],
        rewrite: Callable[[Any], Any],
        reply: Callable[[Answer], None],
    ) -> None:
        """implementations: by class; one that has changed is replaced in it.

        rewrite: shows packs a prompt's body and returns the one to use. reply: sends an answer.
        """
        self._implementations = implementations
        self._rewrite = rewrite
        self._reply = reply
        self._calls = AsyncCalls()
        self._told: dict[str, bytes] = {}
        """Documents that the API process has, by class."""
        self._waiting: queue.SimpleQueue[Ask] = queue.SimpleQueue()
        threading.Thread(target=self._run, name="questions", daemon=True).start()

    def ask(self, question: Ask) -> None:
        """Answer soon."""
        self._waiting.put(question)

    def _run(self) -> None:
        while True:
            asked = self._waiting.get()
            try:
                self._reply(Answer(asked.number, self._answered(asked)))
            except BaseException as error:  # whatever a pack's code raises, the next question is answered
                logger.warning("a question %s could not be answered: %r", type(asked.question).__name__, error)
                with contextlib.suppress(OSError):  # the parent is gone
                    self._reply(Answer(asked.number, None))

    def _answered(self, asked: Ask) -> bytes:
        match asked.question:
            case AskValidators(calls=calls):
                return msgspec.msgpack.encode({call.node_id: self._validated(call) for call in calls})
            case DescribeClasses():
                return msgspec.msgpack.encode(self.changed_documents())
            case RewritePrompt(body=body):
                return orjson.dumps(self._rewrite(orjson.loads(body)))

    def _validated(self, call: ValidatorCall) -> ValidatorAnswer:
        implementation = self._implementations.get(call.class_type)
        if implementation is None or implementation.validate is None:
            return ValidatorAnswer([])
        return answer(call, implementation.schema, implementation.validate, self._calls.wait_for)

    def changed_documents(self) -> dict[str, Any]:
        """Documents of packs' classes that are not what was told last; from now on the classes run as these say.

        A class that can no longer be read stays as it was.
        """
        changed = {}
        for name, implementation in self._implementations.items():
            if implementation.renew is None:
                continue
            try:
                implementation = implementation.renew()
            except (Exception, SystemExit) as error:
                logger.warning("node class %s cannot be read anew: %r", name, error)
            encoded = _encoded(implementation.document)
            if self._told.get(name) != encoded:
                self._told[name] = encoded
                self._implementations[name] = implementation
                changed[name] = implementation.document
        return changed


def _encoded(document: Any) -> bytes:
    return orjson.dumps(document, option=orjson.OPT_NON_STR_KEYS)
