import torch
from comfy_api.latest import io


class BatchAny(io.ComfyNode):
    """As many images or masks as are linked, all of one type."""

    @classmethod
    def define_schema(cls):
        kind = io.MatchType.Template("kind", allowed_types=[io.Image, io.Mask])
        row = io.Autogrow.TemplatePrefix(io.MatchType.Input("item", kind), prefix="item", min=2, max=20)
        return io.Schema(
            node_id="V3Images_BatchAny",
            category="v3 images",
            inputs=[io.Autogrow.Input("items", template=row)],
            outputs=[io.MatchType.Output(kind, display_name="batch"), io.String.Output()],
        )

    @classmethod
    def execute(cls, items: io.Autogrow.Type):
        return io.NodeOutput(torch.cat(list(items.values())), " ".join(items))


class Pick(io.ComfyNode):
    """Inputs with names of their own, of which one is used."""

    @classmethod
    def define_schema(cls):
        template = io.MatchType.Template("value")
        names = io.Autogrow.TemplateNames(
            io.MatchType.Input("value", template, lazy=True), names=["first", "second", "third"], min=1
        )
        return io.Schema(
            node_id="V3Images_Pick",
            category="v3 images",
            inputs=[
                io.Combo.Input("name", options=["first", "second", "third"]),
                io.Autogrow.Input("values", template=names),
            ],
            outputs=[io.MatchType.Output(template)],
        )

    @classmethod
    def validate_inputs(cls, name):
        return True if name != "third" else "the third is taken"

    @classmethod
    def check_lazy_status(cls, name, values):
        value, key = values[name]
        return [key] if value is None else []

    @classmethod
    def execute(cls, name, values):
        return io.NodeOutput(values[name])


class Shape(io.ComfyNode):
    """A choice that brings its own inputs."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="V3Images_Shape",
            category="v3 images",
            inputs=[
                io.DynamicCombo.Input(
                    "shape",
                    options=[
                        io.DynamicCombo.Option("square", [io.Int.Input("side", default=8, min=1, max=64)]),
                        io.DynamicCombo.Option(
                            "rectangle",
                            [io.Int.Input("width", default=8, min=1, max=64), io.Int.Input("height", default=8, min=1)],
                        ),
                        io.DynamicCombo.Option("like", [io.Image.Input("image")]),
                        io.DynamicCombo.Option("smallest", []),
                    ],
                ),
                io.MultiType.Input(io.Float.Input("level", default=1.0), types=[io.Int]),
            ],
            outputs=[io.Image.Output(), io.String.Output(display_name="what")],
        )

    @classmethod
    def execute(cls, shape: io.DynamicCombo.Type, level):
        kind = shape["shape"]
        if kind == "square":
            size = (shape["side"], shape["side"])
        elif kind == "rectangle":
            size = (shape["height"], shape["width"])
        elif kind == "like":
            size = shape["image"].shape[1:3]
        else:
            size = (1, 1)
        return io.NodeOutput(torch.full((1, *size, 3), float(level)), f"{kind} {size[1]}x{size[0]}")
