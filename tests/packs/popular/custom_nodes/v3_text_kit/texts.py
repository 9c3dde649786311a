import os
from dataclasses import dataclass

import folder_paths
from comfy_api.latest import ComfyAPISync, io, ui
from comfy_execution.graph_utils import GraphBuilder

Words = io.Custom("TEXT_KIT_WORDS")


@dataclass
class Note:
    title: str
    body: str


@io.comfytype(io_type="TEXT_KIT_NOTE")
class NoteType(io.ComfyTypeIO):
    Type = Note


class Join(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="TextKit_Join",
            category="text kit",
            inputs=[
                io.String.Input("a", force_input=True),
                io.String.Input("b", multiline=True, default="", optional=True),
                io.String.Input("separator", default=" ", optional=True),
            ],
            outputs=[io.String.Output(), io.Int.Output(display_name="length")],
        )

    @classmethod
    def execute(cls, a, b="", separator=" "):
        text = separator.join(part for part in (a, b) if part)
        return io.NodeOutput(text, len(text))


class ShowText(io.ComfyNode):
    """An output node, which may also hand on."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="TextKit_Show",
            category="text kit",
            inputs=[io.AnyType.Input("value")],
            outputs=[io.String.Output()],
            hidden=[io.Hidden.unique_id],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, value):
        ComfyAPISync().execution.set_progress(1, 1)
        return io.NodeOutput(str(value), ui=ui.PreviewText(str(value)))


class Whereabouts(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="TextKit_Whereabouts",
            category="text kit",
            inputs=[],
            outputs=[io.String.Output()],
            hidden=[io.Hidden.unique_id, io.Hidden.prompt, io.Hidden.extra_pnginfo, io.Hidden.dynprompt],
        )

    @classmethod
    def execute(cls):
        own = cls.hidden.prompt[cls.hidden.unique_id]["class_type"]
        title = (cls.hidden.extra_pnginfo or {}).get("workflow", {}).get("title")
        known = cls.hidden.dynprompt.has_node(cls.hidden.unique_id)
        return io.NodeOutput(f"{cls.hidden.unique_id} {own} {title} {known} {cls.hidden.api_key_comfy_org}")


class ReadFile(io.ComfyNode):
    """Its file is checked before, and its date afterwards."""

    reads = 0

    @classmethod
    def define_schema(cls):
        folder = folder_paths.get_input_directory()
        files = sorted(name for name in os.listdir(folder) if name.endswith(".txt"))
        return io.Schema(
            node_id="TextKit_ReadFile",
            category="text kit",
            inputs=[
                io.Combo.Input("file", options=files, upload=io.UploadType.image, image_folder=io.FolderType.input)
            ],
            outputs=[io.String.Output(), io.Int.Output(display_name="reads")],
        )

    @classmethod
    def validate_inputs(cls, file):
        if not folder_paths.exists_annotated_filepath(file):
            return f"no such text: {file}"
        return True

    @classmethod
    def fingerprint_inputs(cls, file):
        return os.stat(folder_paths.get_annotated_filepath(file)).st_mtime_ns

    @classmethod
    def execute(cls, file):
        ReadFile.reads += 1
        with open(folder_paths.get_annotated_filepath(file), encoding="utf-8") as opened:
            return io.NodeOutput(opened.read(), ReadFile.reads)


class Split(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="TextKit_Split",
            category="text kit",
            inputs=[io.String.Input("text"), io.String.Input("separator", default=",")],
            outputs=[io.String.Output(display_name="parts", is_output_list=True), Words.Output(display_name="words")],
        )

    @classmethod
    def execute(cls, text, separator):
        parts = text.split(separator)
        return io.NodeOutput(parts, tuple(parts))


class Count(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="TextKit_Count",
            category="text kit",
            inputs=[Words.Input("words", optional=True), io.String.Input("list", force_input=True, optional=True)],
            outputs=[io.Int.Output(), NoteType.Output()],
            is_input_list=True,
        )

    @classmethod
    def execute(cls, words=None, list=None):
        count = sum(len(group) for group in words or ()) + len(list or ())
        return io.NodeOutput(count, Note("count", str(count)))


class ReadNote(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="TextKit_ReadNote",
            category="text kit",
            inputs=[NoteType.Input("note")],
            outputs=[io.String.Output()],
        )

    @classmethod
    def execute(cls, note: Note):
        return io.NodeOutput(f"{note.title}: {note.body}")


class Repeat(io.ComfyNode):
    """Becomes a chain of joins; nothing at all for 0."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="TextKit_Repeat",
            category="text kit",
            inputs=[io.String.Input("text"), io.Int.Input("times", default=2, min=0, max=100)],
            outputs=[io.String.Output()],
            enable_expand=True,
        )

    @classmethod
    def execute(cls, text, times):
        if times == 0:
            return io.NodeOutput(block_execution="nothing to repeat")
        graph = GraphBuilder()
        result = graph.node("TextKit_Join", a=text, b="")
        for _ in range(times - 1):
            result = graph.node("TextKit_Join", a=result.out(0), b=text)
        return io.NodeOutput(result.out(0), expand=graph.finalize())


CLASSES = [Join, ShowText, Whereabouts, ReadFile, Split, Count, ReadNote, Repeat]
