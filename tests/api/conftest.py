"""One real server for all API tests; each test uses ids of its own."""

import pytest

from tests.api.live import LiveServer


@pytest.fixture(scope="session")
def live(tmp_path_factory):
    server = LiveServer(tmp_path_factory.mktemp("live")).start()
    yield server
    server.stop()
