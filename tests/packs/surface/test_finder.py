"""What is lacking is an error that names it; what is there is found however a pack asks for it."""

import pytest


@pytest.mark.parametrize(
    "name",
    [
        "folder_paths", "nodes", "execution", "node_helpers", "latent_preview", "comfy", "comfy.utils",
        "comfy.samplers",
        "comfy.sample", "comfy.sd", "comfy.model_management", "comfy.cli_args", "comfy.options", "comfy.comfy_types",
        "comfy.comfy_types.node_typing",
    ],
)  # fmt: skip
def test_an_unknown_attribute_is_named(surface, name):
    module = surface(name)
    assert not hasattr(module, "surely_not_there")
    with pytest.raises(AttributeError, match=rf"inglenook's module '{name}' has no 'surely_not_there'"):
        _ = module.surely_not_there
    for exported in getattr(module, "__all__", ()):
        assert hasattr(module, exported)


@pytest.mark.parametrize("name", ["comfy.ldm", "comfy_extras.nodes_of_tomorrow"])
def test_an_unknown_module_is_named(surface, name):
    with pytest.raises(ModuleNotFoundError, match=f"inglenook has no module '{name}'"):
        surface(name)


def test_an_unknown_name_in_a_from_import_is_named(surface):
    with pytest.raises(ImportError, match="text_encoders"):
        exec("from comfy import text_encoders", {})
    with pytest.raises(ImportError, match="get_everything"):
        exec("from folder_paths import get_everything", {})


def test_a_pack_that_imports_one_module_of_comfy_may_use_the_others(surface):
    scope: dict[str, object] = {}
    exec("import comfy.utils\nsamplers = comfy.samplers.KSampler.SAMPLERS\nfrom comfy import sd", scope)
    assert "euler" in scope["samplers"]
    assert scope["sd"] is surface("comfy.sd")


def test_modules_seem_to_lie_in_the_base_folder(surface, tmp_path):
    assert surface("folder_paths").__file__ == str(tmp_path / "folder_paths.py")
    assert surface("comfy").__file__ == str(tmp_path / "comfy" / "__init__.py")
