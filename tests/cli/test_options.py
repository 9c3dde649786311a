"""ComfyUI's options for the cache, as settings."""

import pytest

from inglenook.cli.main import with_values
from inglenook.cli.options import cache_settings
from inglenook.errors import SettingsError

NONE_GIVEN = {"classic": False, "lru": None, "none": False, "ram": None}


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ({}, {}),
        ({"classic": True}, {"cache": "classic"}),
        ({"none": True}, {"cache": "none"}),
        ({"lru": 0}, {"cache": "lru", "cache_lru_size": 0}),
        ({"lru": 50}, {"cache": "lru", "cache_lru_size": 50}),
        ({"ram": "4"}, {"cache": "ram", "cache_ram_gb": 4.0, "cache_ram_unused_gb": 4.0}),
        ({"ram": "4,8"}, {"cache": "ram", "cache_ram_gb": 4.0, "cache_ram_unused_gb": 8.0}),
    ],
)
def test_options_of_the_cache(given, meant):
    assert cache_settings(**{**NONE_GIVEN, **given}) == meant


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"classic": True, "none": True}, "--cache-classic and --cache-none"),
        ({"lru": 5, "ram": "4"}, "--cache-lru and --cache-ram"),
        ({"ram": "much"}, "not 'much'"),
        ({"ram": "1,2,3"}, "not 3"),
    ],
)
def test_options_that_cannot_be_meant_are_named(given, said):
    with pytest.raises(SettingsError, match=said):
        cache_settings(**{**NONE_GIVEN, **given})


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (["--cache-ram"], ["--cache-ram=4"]),
        (["--cache-ram", "2"], ["--cache-ram=2"]),
        (["--cache-ram", "2", "8", "--cpu"], ["--cache-ram=2,8", "--cpu"]),
        (["--whitelist-custom-nodes", "a", "b-c", "--cpu"], ["--whitelist-custom-nodes=a,b-c", "--cpu"]),
        (["--whitelist-custom-nodes"], ["--whitelist-custom-nodes"]),
    ],
)
def test_several_values_of_an_option_become_one(given, meant):
    assert with_values(given) == meant
