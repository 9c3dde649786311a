"""What packs learn of the server: its options, its version, where it seems to lie."""

import inspect
from contextvars import ContextVar

import pytest
from aiohttp import web

from inglenook.nodes import environment as environment_module
from inglenook.packs import host as host_module
from inglenook.packs.host import Host, set_host
from inglenook.settings import Settings


@pytest.fixture
def settings(monkeypatch):
    """Sets those of the host; the host is put back afterwards."""
    monkeypatch.setattr(host_module, "_host", host_module.host())
    return lambda **fields: set_host(Host(settings=Settings(**fields)))


def test_options_are_those_of_the_server(surface, settings):
    args = surface("comfy.cli_args").args
    settings()
    assert (args.cache_classic, args.cache_lru, args.cache_none, args.cache_ram) == (True, 0, False, 0)
    assert (args.disable_all_custom_nodes, args.whitelist_custom_nodes) == (False, [])
    settings(cache="lru", cache_lru_size=7, disable_all_custom_nodes=True, whitelist_custom_nodes="a, b", port=9000)
    assert (args.cache_classic, args.cache_lru, args.port) == (False, 7, 9000)
    assert (args.disable_all_custom_nodes, args.whitelist_custom_nodes) == (True, ["a", "b"])
    settings(cache="ram", cache_ram_gb=3)
    assert (args.cache_ram, args.cache_none) == (3, False)
    settings(cache="none")
    assert args.cache_none


def test_a_pack_may_choose_how_previews_are_made(surface, demo, monkeypatch):
    monkeypatch.setattr(environment_module, "_of_process", [environment_module.environment()])
    monkeypatch.setattr(environment_module, "_environment", ContextVar("none"))
    args, latent_preview = surface("comfy.cli_args").args, surface("latent_preview")
    args.preview_method = latent_preview.LatentPreviewMethod.NoPreviews
    assert args.preview_method is latent_preview.LatentPreviewMethod.NoPreviews
    assert latent_preview.get_previewer(demo["model"].device, demo["model"].latent_format) is None
    args.preview_method = latent_preview.LatentPreviewMethod.Auto
    assert latent_preview.get_previewer(demo["model"].device, demo["model"].latent_format) is not None


def test_an_option_that_a_pack_sets_is_noted(surface, caplog):
    args = surface("comfy.cli_args").args
    args.lowvram = True
    assert args.lowvram
    assert "a pack sets the option lowvram to True: inglenook itself does not follow" in caplog.text
    del args.lowvram


def test_packs_find_the_base_folder_beside_the_server_and_leave_their_scripts_where_they_are(surface, tmp_path):
    server = surface("server")
    assert inspect.getfile(server.PromptServer) == str(tmp_path / "server.py")
    assert "custom_nodes_from_web" in server.PromptServer.instance.supports
    assert server.web is web


def test_the_version_is_that_of_the_api(surface):
    assert surface("comfyui_version").__version__ == "0.3.64"


def test_a_device_says_what_it_computes(surface):
    management = surface("comfy.model_management")
    torch = surface("torch")
    cpu = torch.device("cpu")
    assert management.supports_dtype(cpu, torch.float32)
    assert not management.supports_dtype(cpu, torch.float16)
    assert not management.supports_fp8_compute(cpu)
    assert not management.device_supports_non_blocking(cpu)


def test_schedules_can_be_called_by_their_functions(surface, demo):
    samplers = surface("comfy.samplers")
    table = demo["model"].get_model_object("model_sampling")
    for name, function in {
        "simple": samplers.simple_scheduler,
        "normal": samplers.normal_scheduler,
        "ddim_uniform": samplers.ddim_scheduler,
        "beta": samplers.beta_scheduler,
        "linear_quadratic": samplers.linear_quadratic_schedule,
    }.items():
        assert function(table, 5).tolist() == samplers.calculate_sigmas(table, name, 5).tolist()
