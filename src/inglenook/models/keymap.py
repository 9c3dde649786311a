"""Names of the same weights in the original single-file layout and in diffusers and transformers modules.

A `KeyMap` is a table of module paths (`input_blocks.1.0.in_layers.2` <-> `down_blocks.0.resnets.0.conv1`), complete and
invertible, built from the few numbers that fix an architecture. It serves loading, saving, LoRA and ControlNet alike.
Prefixes such as `model.diffusion_model.` are not part of a map: see `UNET_PREFIX`, `VAE_PREFIX` and `CLIP_PREFIX`.

Layout of the original files: CompVis/stable-diffusion, `ldm/modules/diffusionmodules` (names only); the pairs agree
with huggingface/diffusers `loaders/single_file_utils.py` (Apache-2.0).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

UNET_PREFIX = "model.diffusion_model."
VAE_PREFIX = "first_stage_model."
CLIP_PREFIX = "cond_stage_model.transformer.text_model."

RESNET_MODULES = {
    "in_layers.0": "norm1",
    "in_layers.2": "conv1",
    "emb_layers.1": "time_emb_proj",
    "out_layers.0": "norm2",
    "out_layers.3": "conv2",
    "skip_connection": "conv_shortcut",
}
VAE_ATTENTION_MODULES = {"norm": "group_norm", "q": "to_q", "k": "to_k", "v": "to_v", "proj_out": "to_out.0"}


class Reshapable(Protocol):
    """What a map needs of a tensor: torch tensors and numpy arrays both fit."""

    @property
    def shape(self) -> Sequence[int]: ...
    def reshape(self, *shape: int) -> Reshapable: ...


T = TypeVar("T", bound=Reshapable)


@dataclass(frozen=True, slots=True)
class KeyMap:
    """A two-way table of module paths, original to diffusers."""

    modules: Mapping[str, str]
    linear: frozenset[str] = frozenset()
    """Diffusers modules that are linear, [out, in], where the original has a 1x1 convolution, [out, in, 1, 1]."""
    inverse: Mapping[str, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        inverse = {new: old for old, new in self.modules.items()}
        if len(inverse) != len(self.modules):
            raise ValueError("a key map must be invertible, but two original modules share one diffusers module")
        object.__setattr__(self, "inverse", inverse)

    def to_diffusers(self, key: str) -> str | None:
        """The diffusers name of an original parameter name, or None when the map does not know it."""
        return _renamed(key, self.modules)

    def to_original(self, key: str) -> str | None:
        """The original name of a diffusers parameter name, or None when the map does not know it."""
        return _renamed(key, self.inverse)

    def state_to_diffusers(self, state: Mapping[str, T]) -> dict[str, T]:
        """Rename (and squeeze, see `linear`) an original state dict; names that the map does not know are left out."""
        return dict(self._converted(state))

    def state_to_original(self, state: Mapping[str, T], prefix: str = "") -> dict[str, T]:
        """Rename a diffusers state dict, every key prefixed with `prefix`. Raises KeyError for an unknown name."""
        result: dict[str, T] = {}
        for key, tensor in state.items():
            original = self.to_original(key)
            if original is None:
                raise KeyError(f"{key!r} has no counterpart in the original layout")
            if key.rpartition(".")[0] in self.linear and len(tensor.shape) == 2:
                tensor = tensor.reshape(tensor.shape[0], tensor.shape[1], 1, 1)  # type: ignore[assignment]
            result[prefix + original] = tensor
        return result

    def _converted(self, state: Mapping[str, T]) -> Iterator[tuple[str, T]]:
        for key, tensor in state.items():
            new = self.to_diffusers(key)
            if new is None:
                continue
            if new.rpartition(".")[0] in self.linear and len(tensor.shape) == 4:
                tensor = tensor.reshape(tensor.shape[0], tensor.shape[1])  # type: ignore[assignment]
            yield new, tensor


def unet_keys(
    depths: Sequence[int], layers_per_block: int, mid_depth: int, *, has_label_embedding: bool = False
) -> KeyMap:
    """The map of a UNet of the Stable Diffusion kind.

    depths: transformer blocks per attention in each level, 0 where a level has no attention (SD1.5: 1, 1, 1, 0;
    SDXL: 0, 2, 10). mid_depth: those of the middle block. has_label_embedding: SDXL's vector conditioning.
    """
    pairs = {
        "time_embed.0": "time_embedding.linear_1",
        "time_embed.2": "time_embedding.linear_2",
        "input_blocks.0.0": "conv_in",
        "out.0": "conv_norm_out",
        "out.2": "conv_out",
    }
    if has_label_embedding:
        pairs |= {"label_emb.0.0": "add_embedding.linear_1", "label_emb.0.2": "add_embedding.linear_2"}
    levels = len(depths)
    block = 1
    for level, depth in enumerate(depths):
        for layer in range(layers_per_block):
            pairs |= _resnet(f"input_blocks.{block}.0", f"down_blocks.{level}.resnets.{layer}")
            pairs |= _transformer(f"input_blocks.{block}.1", f"down_blocks.{level}.attentions.{layer}", depth)
            block += 1
        if level < levels - 1:
            pairs[f"input_blocks.{block}.0.op"] = f"down_blocks.{level}.downsamplers.0.conv"
            block += 1
    pairs |= _resnet("middle_block.0", "mid_block.resnets.0")
    pairs |= _transformer("middle_block.1", "mid_block.attentions.0", mid_depth)
    pairs |= _resnet("middle_block.2" if mid_depth else "middle_block.1", "mid_block.resnets.1")
    block = 0
    for level, depth in enumerate(reversed(depths)):
        for layer in range(layers_per_block + 1):
            pairs |= _resnet(f"output_blocks.{block}.0", f"up_blocks.{level}.resnets.{layer}")
            pairs |= _transformer(f"output_blocks.{block}.1", f"up_blocks.{level}.attentions.{layer}", depth)
            if layer == layers_per_block and level < levels - 1:
                pairs[f"output_blocks.{block}.{2 if depth else 1}.conv"] = f"up_blocks.{level}.upsamplers.0.conv"
            block += 1
    return KeyMap(pairs)


def vae_keys(levels: int, layers_per_block: int) -> KeyMap:
    """The map of an AutoencoderKL: `levels` resolutions, `layers_per_block` residual blocks in each encoder level."""
    pairs = {"quant_conv": "quant_conv", "post_quant_conv": "post_quant_conv"}
    for half in ("encoder", "decoder"):
        pairs |= {f"{half}.{name}": f"{half}.{name}" for name in ("conv_in", "conv_out")}
        pairs[f"{half}.norm_out"] = f"{half}.conv_norm_out"
        pairs |= {
            f"{half}.mid.attn_1.{old}": f"{half}.mid_block.attentions.0.{new}"
            for old, new in VAE_ATTENTION_MODULES.items()
        }
        for block in (1, 2):
            pairs |= _vae_resnet(f"{half}.mid.block_{block}", f"{half}.mid_block.resnets.{block - 1}")
    for level in range(levels):
        for layer in range(layers_per_block):
            pairs |= _vae_resnet(f"encoder.down.{level}.block.{layer}", f"encoder.down_blocks.{level}.resnets.{layer}")
        for layer in range(layers_per_block + 1):
            pairs |= _vae_resnet(
                f"decoder.up.{level}.block.{layer}", f"decoder.up_blocks.{levels - 1 - level}.resnets.{layer}"
            )
        if level < levels - 1:
            pairs[f"encoder.down.{level}.downsample.conv"] = f"encoder.down_blocks.{level}.downsamplers.0.conv"
        if level > 0:
            pairs[f"decoder.up.{level}.upsample.conv"] = f"decoder.up_blocks.{levels - 1 - level}.upsamplers.0.conv"
    linear = frozenset(
        f"{half}.mid_block.attentions.0.{name}"
        for half in ("encoder", "decoder")
        for name in ("to_q", "to_k", "to_v", "to_out.0")
    )
    return KeyMap(pairs, linear)


def clip_keys(layers: int) -> KeyMap:
    """The map of a CLIP text model below its `text_model.` level; both layouts use the same names there."""
    names = ["embeddings.token_embedding", "embeddings.position_embedding", "final_layer_norm"]
    for layer in range(layers):
        names += [f"encoder.layers.{layer}.self_attn.{name}" for name in ("q_proj", "k_proj", "v_proj", "out_proj")]
        names += [f"encoder.layers.{layer}.{name}" for name in ("layer_norm1", "layer_norm2", "mlp.fc1", "mlp.fc2")]
    return KeyMap({name: name for name in names})


def strip_prefix(keys: Iterable[str], prefix: str) -> dict[str, str]:
    """The keys that begin with `prefix`, without it, each with its full name."""
    return {key.removeprefix(prefix): key for key in keys if key.startswith(prefix)}


def _renamed(key: str, modules: Mapping[str, str]) -> str | None:
    module, _, parameter = key.rpartition(".")
    renamed = modules.get(module)
    return None if renamed is None else f"{renamed}.{parameter}"


def _resnet(old: str, new: str) -> dict[str, str]:
    return {f"{old}.{a}": f"{new}.{b}" for a, b in RESNET_MODULES.items()}


def _vae_resnet(old: str, new: str) -> dict[str, str]:
    pairs = {f"{old}.{name}": f"{new}.{name}" for name in ("norm1", "conv1", "norm2", "conv2")}
    return pairs | {f"{old}.nin_shortcut": f"{new}.conv_shortcut"}


def _transformer(old: str, new: str, depth: int) -> dict[str, str]:
    if depth == 0:
        return {}
    names = ["norm", "proj_in", "proj_out"]
    for block in range(depth):
        path = f"transformer_blocks.{block}"
        names += [f"{path}.{name}" for name in ("norm1", "norm2", "norm3", "ff.net.0.proj", "ff.net.2")]
        names += [f"{path}.attn{a}.{name}" for a in (1, 2) for name in ("to_q", "to_k", "to_v", "to_out.0")]
    return {f"{old}.{name}": f"{new}.{name}" for name in names}
