"""One real server for all API tests, and an app whose jobs wait; each test uses ids of its own."""

import pytest

from tests.api.idle import idle_server
from tests.api.live import LiveServer


@pytest.fixture(scope="session")
def live(tmp_path_factory):
    server = LiveServer(tmp_path_factory.mktemp("live")).start()
    yield server
    server.stop()


@pytest.fixture
async def idle(tmp_path):
    async with idle_server(tmp_path) as server:
        yield server
