"""An app whose jobs wait; each test uses ids of its own."""

import pytest

from tests.api.idle import idle_server


@pytest.fixture
async def idle(tmp_path):
    async with idle_server(tmp_path) as server:
        yield server
