"""Text nodes in the newer style; the entry point is not asynchronous."""

from comfy_api.latest import ComfyAPI, ComfyExtension, io

from .texts import CLASSES

api = ComfyAPI()


class TextKit(ComfyExtension):
    async def on_load(self):
        await api.node_replacement.register(
            io.NodeReplace(
                new_node_id="TextKit_Join",
                old_node_id="TextKit_OldJoin",
                old_widget_ids=["separator"],
                input_mapping=[
                    {"new_id": "a", "old_id": "first"},
                    {"new_id": "b", "old_id": "second"},
                    {"new_id": "separator", "set_value": "+"},
                ],
                output_mapping=[{"new_idx": 0, "old_idx": 1}],
            )
        )

    async def get_node_list(self):
        return CLASSES


def comfy_entrypoint():
    return TextKit()
