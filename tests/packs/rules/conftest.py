"""Real servers with the pack of rules, one per cache mode, kept for the whole session."""

import pytest

from tests.packs.rules.harness import RuleServer

MODES = {
    "classic": {"cache": "classic"},
    "lru": {"cache": "lru", "cache_lru_size": 500},
    "none": {"cache": "none"},
}


@pytest.fixture(scope="session", params=MODES)
def server(request, tmp_path_factory):
    base = tmp_path_factory.mktemp(f"rules-{request.param}")
    running = RuleServer(base, keeps=request.param != "none", **MODES[request.param]).start()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def classic(tmp_path_factory):
    """For what has nothing to do with caches."""
    running = RuleServer(tmp_path_factory.mktemp("rules"), **MODES["classic"]).start()
    yield running
    running.stop()
