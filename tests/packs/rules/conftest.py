"""Real servers with the pack of rules, one per cache mode, kept for the whole session."""

import contextlib

import pytest

from tests.packs.rules.harness import RuleServer

MODES = {
    "classic": {"cache": "classic"},
    "lru": {"cache": "lru", "cache_lru_size": 100},
    "ram": {"cache": "ram", "cache_ram_gb": 0.5},
    "none": {"cache": "none"},
}


@pytest.fixture(scope="session")
def servers(tmp_path_factory):
    """A function from a cache mode to the running server of that mode."""
    started = {}
    with contextlib.ExitStack() as stack:

        def server_of(mode):
            if mode not in started:
                base = tmp_path_factory.mktemp(f"rules-{mode}")
                started[mode] = RuleServer(base, keeps=mode != "none", **MODES[mode]).start()
                stack.callback(started[mode].stop)
            return started[mode]

        yield server_of


@pytest.fixture(params=["classic", "lru", "none"])
def server(request, servers):
    return servers(request.param)


@pytest.fixture(params=MODES)
def any_cache(request, servers):
    """For what caches are about."""
    return servers(request.param)


@pytest.fixture
def classic(servers):
    """For what has nothing to do with caches, and takes long."""
    return servers("classic")
