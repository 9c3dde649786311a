"""Shows a job's progress on a terminal: a bar over the nodes, and one over the steps of the node that runs."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from inglenook.cli.workflow_file import title
from inglenook.client.events import Event, JobStarted, JobSucceeded, NodeProgress, NodesCached, NodeStarted


class JobProgress:
    """A context manager around a run; give it the run's events. Shows nothing where there is no terminal."""

    def __init__(self, graph: Mapping[str, Any], console: Console) -> None:
        self._graph = graph
        self._done: set[str] = set()
        self._current: str | None = None
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._nodes = self._bars.add_task("waiting for the model process", total=len(graph))
        self._steps = self._bars.add_task("", visible=False)

    def __enter__(self) -> JobProgress:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bars.stop()

    @property
    def done(self) -> int:
        """Nodes that are finished or need not run."""
        return len(self._done)

    def take(self, event: Event) -> None:
        """Show what an event tells."""
        match event:
            case JobStarted():
                self._bars.update(self._nodes, description="running")
            case NodesCached():
                self._done.update(event.nodes)
            case NodeStarted():
                self._leave_node()
                self._current = event.display_node
                self._bars.update(self._nodes, description=title(self._graph, self._current))
            case NodeProgress():
                self._bars.update(
                    self._steps, description="  steps", completed=event.value, total=event.maximum, visible=True
                )
            case JobSucceeded():
                self._leave_node()
        self._bars.update(self._nodes, completed=self.done)

    def _leave_node(self) -> None:
        if self._current is not None:
            self._done.add(self._current)
        self._current = None
        self._bars.update(self._steps, visible=False)
