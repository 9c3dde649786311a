"""Answers, inside the device process, what the API process asks beside a run: validators, descriptions, prompts.

One thread answers, one question after another; a graph may run meanwhile, as with ComfyUI, whose server asks the same
code in its own thread. The API process does not wait for long, so a slow answer costs nothing but itself.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from collections.abc import Callable, Mapping
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
        implementations: Mapping[str, NodeImplementation],
        rewrite: Callable[[Any], Any],
        reply: Callable[[Answer], None],
    ) -> None:
        """rewrite: shows packs a prompt's body and returns the one to use. reply: sends an answer."""
        self._implementations = implementations
        self._rewrite = rewrite
        self._reply = reply
        self._calls = AsyncCalls()
        self._described: dict[str, bytes] = {}
        self._waiting: queue.SimpleQueue[Ask] = queue.SimpleQueue()
        threading.Thread(target=self._run, name="questions", daemon=True).start()

    def told(self, documents: Mapping[str, Any]) -> None:
        """These descriptions the API process has."""
        self._described |= {name: _encoded(document) for name, document in documents.items()}

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
                return msgspec.msgpack.encode(self._changed_descriptions())
            case RewritePrompt(body=body):
                return orjson.dumps(self._rewrite(orjson.loads(body)))

    def _validated(self, call: ValidatorCall) -> ValidatorAnswer:
        implementation = self._implementations.get(call.class_type)
        if implementation is None or implementation.validate is None:
            return ValidatorAnswer([])
        return answer(call, implementation.schema, implementation.validate, self._calls.wait_for)

    def _changed_descriptions(self) -> dict[str, Any]:
        """Documents that are no longer what was told last; a class whose description fails keeps its old one."""
        changed = {}
        for name, implementation in self._implementations.items():
            if implementation.describe is None:
                continue
            try:
                document = implementation.describe()
                encoded = _encoded(document)
            except (Exception, SystemExit) as error:
                logger.warning("node class %s cannot be described anew: %r", name, error)
                continue
            if self._described.get(name) != encoded:
                self._described[name] = encoded
                changed[name] = document
        return changed


def _encoded(document: Any) -> bytes:
    return orjson.dumps(document, option=orjson.OPT_NON_STR_KEYS)
