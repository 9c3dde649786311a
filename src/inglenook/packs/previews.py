"""`latent_preview`: pictures of latents while packs sample, sent with the progress of their node."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from inglenook.engine import context
from inglenook.models.families.family import LatentFormat
from inglenook.models.handles import Model
from inglenook.models.preview import latent_to_picture
from inglenook.nodes.environment import environment
from inglenook.packs.progress import Preview, ProgressBar


def max_preview_resolution() -> int:
    """Longest side of previews, pixels."""
    return environment().preview_size


class LatentPreviewer:
    """Makes pictures of latents; packs derive their own from it."""

    def decode_latent_to_preview(self, x0: Tensor) -> Image.Image:
        """The picture of a latent's first item. x0: [batch, channels, h, w], scaled as the network has it."""
        raise NotImplementedError(f"{type(self).__name__} does not say how a latent looks")

    def decode_latent_to_preview_image(self, preview_format: str, x0: Tensor) -> Preview:
        """The same as `ProgressBar` takes it."""
        return preview_format, self.decode_latent_to_preview(x0), max_preview_resolution()


class Latent2RGBPreviewer(LatentPreviewer):
    """Paints each channel in its own colour."""

    def __init__(
        self,
        latent_rgb_factors: Sequence[Sequence[float]],
        latent_rgb_factors_bias: Sequence[float] | None = None,
        latent_rgb_factors_reshape: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        """latent_rgb_factors: of each channel its part in red, green and blue; bias: what is added to each of them.

        latent_rgb_factors_reshape: applied to a latent first.
        """
        rows = tuple((float(red), float(green), float(blue)) for red, green, blue in latent_rgb_factors)
        red, green, blue = latent_rgb_factors_bias or (0.0, 0.0, 0.0)
        self.form = LatentFormat(len(rows), 1.0, rows, (float(red), float(green), float(blue)))
        self.reshape = latent_rgb_factors_reshape

    def decode_latent_to_preview(self, x0: Tensor) -> Image.Image:
        """Of a video latent, [batch, channels, frames, h, w], the first frame."""
        latent = x0 if self.reshape is None else self.reshape(x0)
        return latent_to_picture(latent[:, :, 0] if latent.ndim == 5 else latent, self.form)


def get_previewer(device: torch.device, latent_format: LatentFormat) -> LatentPreviewer | None:
    """What makes previews of a model's latents; None where none are wanted."""
    running = context.current()
    method = (running and running.preview_method) or environment().preview_method
    return None if method == "none" else Latent2RGBPreviewer(latent_format.rgb, latent_format.rgb_bias)


def prepare_callback(
    model: Model, steps: int, x0_output_dict: dict[str, Any] | None = None
) -> Callable[[int, Tensor, Tensor, int], None]:
    """A callback for samplers that reports each step of the running node, with a preview.

    x0_output_dict: its `x0` becomes the clean latent of the last step.
    """
    previewer = get_previewer(model.device, model.latent)
    bar = ProgressBar(steps)

    def callback(step: int, x0: Tensor, x: Tensor, total_steps: int) -> None:
        if x0_output_dict is not None:
            with torch.inference_mode(False):  # it may be changed in place later, outside the sampler
                x0_output_dict["x0"] = x0.clone()
        preview = None if previewer is None else previewer.decode_latent_to_preview_image("JPEG", x0)
        bar.update_absolute(step + 1, total_steps, preview)

    return callback
