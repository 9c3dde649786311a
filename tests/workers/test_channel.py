"""The socket to a device process: a process that says much has its turns, and others theirs."""

import asyncio
import time

from inglenook.workers.device import _Channel
from inglenook.workers.messages import Notice, encode


class Worker:
    name = "w"

    def __init__(self):
        self.heard = []

    def received(self, channel, message):
        time.sleep(0.001)
        self.heard.append(message.data)

    def lost(self, channel):
        self.heard.append("lost")


class Transport(asyncio.Transport):
    paused = False

    def is_closing(self):
        return False

    def pause_reading(self):
        self.paused = True

    def resume_reading(self):
        self.paused = False


def connected():
    worker, transport = Worker(), Transport()
    channel = _Channel(worker, None)
    channel.connection_made(transport)
    return worker, transport, channel


async def test_a_process_that_says_much_waits_while_others_have_their_turn():
    worker, transport, channel = connected()
    channel.data_received(b"".join(encode(Notice("n", number)) for number in range(100)))
    assert 0 < len(worker.heard) < 50
    assert transport.paused
    async with asyncio.timeout(60):
        while transport.paused:  # noqa: ASYNC110
            await asyncio.sleep(0)
    assert worker.heard == list(range(100))


async def test_what_a_process_said_before_its_end_is_heard_before_it():
    worker, _, channel = connected()
    channel.data_received(b"".join(encode(Notice("n", number)) for number in range(30)))
    channel.connection_lost(None)
    assert worker.heard == [*range(30), "lost"]
