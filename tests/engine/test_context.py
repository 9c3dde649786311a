"""What node code reaches through the context."""

from __future__ import annotations

import pytest

from inglenook.engine import context
from inglenook.engine.context import InterruptProcessing, NodeContext, expansion_prefix, running
from inglenook.engine.events import AnyEvent, NodeRef, Progress


def test_outside_a_run_nothing_happens() -> None:
    context.progress(1, 2)
    context.send_image(b"", "image/png")
    context.check_interrupted()
    assert context.current() is None
    assert expansion_prefix() == ""


def test_progress_is_told_with_plain_numbers_and_stops_an_interrupted_run() -> None:
    class Number:
        def __float__(self) -> float:
            return 2.5

    events: list[AnyEvent] = []
    stop = False
    with running(NodeContext("job", NodeRef("1", "1", None, "1"), events.append, lambda: stop)):
        context.progress(3, Number())  # type: ignore[arg-type]
        stop = True
        with pytest.raises(InterruptProcessing):
            context.progress(4, 5)
    (event,) = events
    assert isinstance(event, Progress)
    assert (event.value, type(event.value), event.total) == (3, int, 2.5)
    assert context.current() is None


def test_expansion_prefix_is_readable_and_stays_short() -> None:
    def prefix(node_id: str) -> str:
        with running(NodeContext("job", NodeRef(node_id, "5", None, "5"), lambda _: None, lambda: False, call_index=2)):
            return expansion_prefix(1)

    assert prefix("5") == "5.2.1."
    long, other = prefix("5." + "0.0.x." * 50), prefix("5." + "0.0.y." * 50)
    assert long != other
    assert long.startswith("5.")
    assert len(long) < 50
