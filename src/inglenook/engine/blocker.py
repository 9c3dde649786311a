"""The value that stops a branch of a graph without failing the run."""

from __future__ import annotations


class ExecutionBlocker:
    """In place of an output: calls that would receive it are skipped and pass on blockers without a message.

    message: told to the client at the first node that is skipped; None blocks silently.
    """

    __slots__ = ("message",)

    def __init__(self, message: str | None = None) -> None:
        self.message = message


SILENT = ExecutionBlocker()
