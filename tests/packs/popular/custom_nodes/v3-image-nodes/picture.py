import asyncio
from enum import Enum

import torch
from comfy_api.latest import ComfyAPI, io, ui

api = ComfyAPI()


class Mode(str, Enum):
    multiply = "multiply"
    add = "add"


class Adjust(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="V3Images_Adjust",
            display_name="Adjust",
            category="v3 images",
            description="Brightness and gamma.",
            search_aliases=["gamma"],
            inputs=[
                io.Image.Input("image", tooltip="What to adjust"),
                io.Float.Input(
                    "amount",
                    default=1.0,
                    min=0.0,
                    max=4.0,
                    step=0.01,
                    round=0.001,
                    display_mode=io.NumberDisplay.slider,
                ),
                io.Combo.Input("mode", options=Mode, default=Mode.multiply),
                io.Boolean.Input("clamp", default=True, optional=True),
                io.Mask.Input("mask", optional=True),
            ],
            outputs=[io.Image.Output("adjusted", display_name="image"), io.Float.Output(display_name="mean")],
        )

    @classmethod
    def execute(cls, image, amount, mode, clamp=True, mask=None) -> io.NodeOutput:
        result = image * amount if mode == Mode.multiply else image + amount
        if clamp:
            result = result.clamp(0, 1)
        if mask is not None:
            result = torch.lerp(image, result, mask[..., None])
        return io.NodeOutput(result, result.mean().item())


class Blend(io.ComfyNode):
    """Needs its second picture only when it shows."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="V3Images_Blend",
            category="v3 images",
            inputs=[
                io.Image.Input("base", lazy=True),
                io.Image.Input("top", lazy=True, optional=True),
                io.Float.Input("opacity", default=0.5, min=0.0, max=1.0),
            ],
            outputs=[io.Image.Output()],
        )

    @classmethod
    def check_lazy_status(cls, opacity, base=None, top=None):
        needed = []
        if opacity < 1 and base is None:
            needed.append("base")
        if opacity > 0 and top is None:
            needed.append("top")
        return needed

    @classmethod
    def execute(cls, opacity, base=None, top=None):
        if opacity == 0:
            return io.NodeOutput(base)
        if opacity == 1:
            return io.NodeOutput(top)
        return io.NodeOutput(base * (1 - opacity) + top * opacity)


class Describe(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="V3Images_Describe",
            category="v3 images",
            inputs=[
                io.Image.Input("images"),
                io.Combo.Input("save", options=["preview", "png", "webp", "mask"]),
                io.String.Input("filename_prefix", default="v3", optional=True),
            ],
            outputs=[],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, images, save, filename_prefix="v3"):
        if save == "png":
            saved = ui.ImageSaveHelper.get_save_images_ui(images, filename_prefix=filename_prefix, cls=cls)
            return io.NodeOutput(ui=saved)
        if save == "webp":
            return io.NodeOutput(
                ui=ui.ImageSaveHelper.get_save_animated_webp_ui(
                    images, filename_prefix=filename_prefix, cls=cls, fps=4, lossless=True, quality=80, method=0
                )
            )
        if save == "mask":
            return io.NodeOutput(ui=ui.PreviewMask(images[..., 0], cls=cls))
        return io.NodeOutput(ui=ui.PreviewImage(images, cls=cls))


class SlowFill(io.ComfyNode):
    """Several of them wait at the same time."""

    waiting = 0
    most = 0

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="V3Images_SlowFill",
            category="v3 images",
            inputs=[
                io.Int.Input("size", default=16, min=8, max=512, step=8),
                io.Float.Input("level", default=0.5, min=0.0, max=1.0),
            ],
            outputs=[io.Image.Output(), io.Int.Output(display_name="at once")],
            not_idempotent=True,
        )

    @classmethod
    async def execute(cls, size, level):
        SlowFill.waiting += 1
        SlowFill.most = max(SlowFill.most, SlowFill.waiting)
        image = torch.full((1, size, size, 3), level)
        for step in range(3):
            await asyncio.sleep(0.05)
            await api.execution.set_progress(step + 1, 3, preview_image=image)
        SlowFill.waiting -= 1
        return io.NodeOutput(image, SlowFill.most)
