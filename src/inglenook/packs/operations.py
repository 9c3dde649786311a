"""`comfy.ops`: layers of torch for the networks that packs bring themselves.

`disable_weight_init` leaves new weights as they are in memory, since a file will fill them; `manual_cast` also computes
in the type and place of the input, whatever those of the weights.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def cast_to_input(weight: Tensor, input: Tensor, non_blocking: bool = False, copy: bool = True) -> Tensor:
    """A weight in the type and place of an input."""
    return weight.to(device=input.device, dtype=input.dtype, non_blocking=non_blocking, copy=copy)


def cast_bias_weight(
    s: nn.Module,
    input: Tensor | None = None,
    dtype: torch.dtype | None = None,
    device: torch.device | None = None,
    bias_dtype: torch.dtype | None = None,
) -> tuple[Any, Any]:
    """Weight and bias of a layer (None where it has none) in the type and place of an input, or in those given."""
    if input is not None:
        dtype, device = dtype or input.dtype, device or input.device
    weight, bias = getattr(s, "weight", None), getattr(s, "bias", None)
    return (
        None if weight is None else weight.to(device=device, dtype=dtype),
        None if bias is None else bias.to(device=device, dtype=bias_dtype or dtype),
    )


class _AsAllocated:
    def reset_parameters(self) -> None:
        """Leave the weights as they are."""


class disable_weight_init:
    """Layers whose weights are not drawn."""

    class Linear(_AsAllocated, nn.Linear):
        pass

    class Conv1d(_AsAllocated, nn.Conv1d):
        pass

    class Conv2d(_AsAllocated, nn.Conv2d):
        pass

    class Conv3d(_AsAllocated, nn.Conv3d):
        pass

    class GroupNorm(_AsAllocated, nn.GroupNorm):
        pass

    class LayerNorm(_AsAllocated, nn.LayerNorm):
        pass

    class Embedding(_AsAllocated, nn.Embedding):
        def forward(self, input: Tensor, out_dtype: torch.dtype | None = None) -> Tensor:
            found = super().forward(input)
            return found if out_dtype is None else found.to(out_dtype)

    @classmethod
    def conv_nd(cls, dims: int, *arguments: Any, **options: Any) -> nn.Module:
        """A convolution over two or three dimensions."""
        if dims not in (2, 3):
            raise ValueError(f"unsupported dimensions: {dims}")
        return (cls.Conv2d if dims == 2 else cls.Conv3d)(*arguments, **options)


class manual_cast(disable_weight_init):
    """The same, computing in the type and place of the input."""

    class Linear(disable_weight_init.Linear):
        def forward(self, input: Tensor) -> Tensor:
            return F.linear(input, *cast_bias_weight(self, input))

    class Conv1d(disable_weight_init.Conv1d):
        def forward(self, input: Tensor) -> Tensor:
            weight, bias = cast_bias_weight(self, input)
            result: Tensor = self._conv_forward(input, weight, bias)
            return result

    class Conv2d(disable_weight_init.Conv2d):
        def forward(self, input: Tensor) -> Tensor:
            weight, bias = cast_bias_weight(self, input)
            result: Tensor = self._conv_forward(input, weight, bias)
            return result

    class Conv3d(disable_weight_init.Conv3d):
        def forward(self, input: Tensor) -> Tensor:
            weight, bias = cast_bias_weight(self, input)
            result: Tensor = self._conv_forward(input, weight, bias)
            return result

    class GroupNorm(disable_weight_init.GroupNorm):
        def forward(self, input: Tensor) -> Tensor:
            return F.group_norm(input, self.num_groups, *cast_bias_weight(self, input), self.eps)

    class LayerNorm(disable_weight_init.LayerNorm):
        def forward(self, input: Tensor) -> Tensor:
            return F.layer_norm(input, self.normalized_shape, *cast_bias_weight(self, input), self.eps)

    class Embedding(disable_weight_init.Embedding):
        def forward(self, input: Tensor, out_dtype: torch.dtype | None = None) -> Tensor:
            weight = self.weight.to(device=input.device, dtype=out_dtype)
            return F.embedding(
                input, weight, self.padding_idx, self.max_norm, self.norm_type, self.scale_grad_by_freq, self.sparse
            )
