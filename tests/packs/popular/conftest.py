"""One server for all of them, kept for the whole session."""

import pytest

from tests.packs.popular.harness import PackServer


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    running = PackServer(tmp_path_factory.mktemp("popular"))
    try:
        yield running.start()
    finally:
        if running.process is not None:
            running.stop()
