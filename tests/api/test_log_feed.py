"""What the server logs, kept for clients: bounded, told in parts, without credentials."""

import asyncio
import logging
import threading

from inglenook.api.log_feed import KEPT, LogFeed, as_text

logger = logging.getLogger("tests.log_feed")


def messages(entries):
    return [entry["m"] for entry in entries]


async def test_records_of_the_server_and_lines_of_nodes_are_kept_in_order():
    feed = LogFeed()
    with feed.attached(lambda entries: None):
        logger.warning("disk is %d %% full", 91)
        logging.getLogger("inglenook.device.local").warning("%s", "printed by a node")
    logger.warning("after the end")
    assert messages(feed.entries()) == ["WARNING tests.log_feed: disk is 91 % full\n", "printed by a node\n"]
    assert as_text(feed.entries()).splitlines()[1] == f"{feed.entries()[1]['t']} - printed by a node"


async def test_a_storm_from_another_thread_is_told_in_parts_with_a_note_and_keeps_little():
    feed, told = LogFeed(), []

    def storm():
        for number in range(5000):
            logger.warning("line %d %s", number, "x" * 10_000)

    with feed.attached(told.append):
        thread = threading.Thread(target=storm)
        thread.start()
        await asyncio.to_thread(thread.join)
        async with asyncio.timeout(60):
            while not told or "line 4999" not in told[-1][-1]["m"]:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    assert len(feed.entries()) == KEPT
    assert all(len(entries) <= KEPT + 1 for entries in told)
    assert any("lines are not shown" in entries[0]["m"] for entries in told)
    assert sum(len(message) for message in messages(feed.entries())) < KEPT * 5000


async def test_credentials_are_not_shown():
    feed = LogFeed()
    with feed.attached(lambda entries: None):
        logger.warning("GET /ws?clientId=a&token=abcdefgh12345")
        logger.warning("headers: %s", {"Authorization": "Bearer abcdefgh12345", "x-api-key": "abcdefgh12345"})
        logger.warning("tokens: 123456789 of 200000000")
    shown = as_text(feed.entries())
    assert "abcdefgh" not in shown
    assert "clientId=a&token=[secret]" in shown
    assert "tokens: 123456789" in shown


async def test_an_exception_is_shown_with_its_traceback_and_odd_text_can_be_sent():
    feed = LogFeed()
    with feed.attached(lambda entries: None):
        try:
            raise ValueError("no")
        except ValueError:
            logger.exception("failed \ud800")
    (text,) = messages(feed.entries())
    assert "Traceback" in text
    assert "ValueError: no" in text
    text.encode()
