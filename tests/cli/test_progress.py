"""The bars count nodes, and show nothing where nobody looks."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from inglenook.cli.progress import JobProgress
from inglenook.client.events import JobStarted, JobSucceeded, NodeProgress, NodesCached, NodeStarted
from tests.cli.conftest import GRAPH


def play(console: Console) -> list[int]:
    done = []
    with JobProgress({**GRAPH, "3": {"class_type": "KSampler"}}, console) as progress:
        for event in (
            JobStarted("p"),
            NodesCached("p", ("1",)),
            NodeStarted("p", "3", "3"),
            NodeProgress("p", "3", 1, 2),
            NodeStarted("p", "2", "2"),
            JobSucceeded("p"),
        ):
            progress.take(event)
            done.append(progress.done)
    return done


def test_cached_and_finished_nodes_are_counted() -> None:
    assert play(Console(file=StringIO())) == [0, 1, 1, 1, 2, 3]


def test_titles_are_shown_on_a_terminal_only() -> None:
    terminal, pipe = StringIO(), StringIO()
    play(Console(file=terminal, force_terminal=True))
    play(Console(file=pipe))
    assert "SaveImage" in terminal.getvalue()
    assert pipe.getvalue() == ""
