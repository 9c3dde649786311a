"""Image nodes in the newer style."""

from typing_extensions import override

from comfy_api.latest import ComfyExtension, io

from .dynamic import BatchAny, Pick, Shape
from .picture import Adjust, Blend, Describe, SlowFill


class ImageExtension(ComfyExtension):
    @override
    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return [Adjust, Blend, Describe, SlowFill, BatchAny, Pick, Shape]


async def comfy_entrypoint() -> ImageExtension:
    return ImageExtension()
