"""What leaves the device process."""

import logging
import os
import socket
import threading

import pytest

from inglenook.engine.events import Custom, NodeRef, NodeStarted, Picture, Progress, Started
from inglenook.workers.last_word import LastWord
from inglenook.workers.messages import FrameBuffer, Notice, decode_up
from inglenook.workers.outbox import Outbox

ODD = NodeRef("\ud800", "1", None, "1")


class Parent:
    """The other end of an outbox."""

    def __init__(self, end):
        self._end = end
        self._frames = FrameBuffer()
        end.settimeout(60)

    def next(self):
        while True:
            for body in self._frames.feed(self._end.recv(65536)):
                return decode_up(body)


@pytest.fixture
def ends():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Parent(ours), theirs


def test_a_log_handler_that_sends_may_hear_of_an_event_that_cannot_be_sent(ends):
    parent, theirs = ends
    outbox = Outbox(theirs)

    class ToClients(logging.Handler):
        def emit(self, record):
            outbox.notify("log", record.getMessage(), None)

    handler = ToClients()
    logging.getLogger("inglenook.workers.outbox").addHandler(handler)
    try:
        outbox.begin("job", 1)
        for event in (NodeStarted(ODD), Started(1)):
            threading.Thread(target=outbox.emit, args=(event,), daemon=True).start()
        seen = []
        while not any(isinstance(event, Custom) for event in seen):
            seen += parent.next().events
        (told,) = [event for event in seen if isinstance(event, Custom)]
        assert told.name == "log"
        assert "NodeStarted cannot be sent" in told.data
    finally:
        logging.getLogger("inglenook.workers.outbox").removeHandler(handler)


def test_a_message_outside_a_run_goes_out_at_once(ends):
    parent, theirs = ends
    Outbox(theirs).notify("note", {"a": 1}, "client")
    assert parent.next() == Notice("note", {"a": 1}, "client")


def test_a_node_whose_id_is_no_unicode_leaves_no_last_word_and_runs(ends):
    descriptor = LastWord.make_descriptor()
    if descriptor is None:
        pytest.skip("this system has no memfd")
    word = LastWord(descriptor)
    os.close(descriptor)
    outbox = Outbox(ends[1], word)
    outbox.begin("job", 1)
    first = NodeRef("1", "1", None, "1")
    outbox.emit(NodeStarted(first))
    outbox.emit(NodeStarted(ODD))
    assert word.read("job", 1) == first
    word.close()


def test_progress_that_is_followed_at_once_by_more_is_left_out_and_the_last_is_told(ends):
    parent, theirs = ends
    outbox = Outbox(theirs)
    node, other = NodeRef("1", "1", None, "1"), NodeRef("2", "2", None, "2")
    picture = Picture(b"jpeg", "image/jpeg")
    outbox.begin("job", 1)
    with outbox._lock:  # nothing leaves meanwhile
        for event in (
            *(Progress(node, step, 100_000) for step in range(100_000)),
            Progress(node, 1, 2, picture),
            Progress(node, 2, 2),
            Progress(other, 1, 2),
            Progress(other, 2, 2),
        ):
            outbox._add(event)
        outbox._flush()
    told = parent.next().events
    # a picture takes the place of progress without one, never the other way round
    assert told == [Progress(node, 1, 2, picture), Progress(node, 2, 2), Progress(other, 2, 2)]
