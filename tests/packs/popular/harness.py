"""A real server with packs written as popular ones are, in two folders, and broken ones in a third."""

import io
import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from tests.api.live import is_left, new_id, read_until
from tests.models.tiny import write_tiny_checkpoint
from tests.packs.popular.broken import BROKEN_PACKS
from tests.packs.rules.harness import RuleServer, node

PACKS = Path(__file__).parent / "custom_nodes"
IN_BASE_FOLDER = "logic-switches"
"""The pack that lies in the base folder's own `custom_nodes`; the others come through `extra_model_paths.yaml`."""


class PackServer(RuleServer):
    """Packs are copied, since they write into their own folders."""

    def start(self):
        ignored = shutil.ignore_patterns("__pycache__")
        self.packs = self.base / "elsewhere" / "custom_nodes"
        shutil.copytree(PACKS, self.packs, ignore=ignored)
        (self.base / "custom_nodes").mkdir()
        shutil.move(self.packs / IN_BASE_FOLDER, self.base / "custom_nodes" / IN_BASE_FOLDER)
        broken = self.base / "broken"
        for name, source in BROKEN_PACKS.items():
            file = broken / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(source)
        write_tiny_checkpoint(self.base / "models" / "checkpoints" / "tiny.safetensors")
        (self.base / "input").mkdir()
        save_picture(self.base / "input" / "start.png")
        (self.base / "input" / "start.txt").write_text("a first text")
        folders = f"        {self.packs}\n        {broken}\n"
        (self.base / "extra_model_paths.yaml").write_text(f"packs:\n    custom_nodes: |\n{folders}")
        super(RuleServer, self).start()
        self.until(lambda: "logic compare" in self.get("/object_info").json())
        return self

    # -- short ways to ask -------------------------------------------------------------------------------------------

    def outputs(self, graph, **fields):
        """Run a graph that succeeds; the ui data by node."""
        entry = self.run(graph, **fields)
        assert entry["status"]["status_str"] == "success", entry["status"]["messages"]
        return entry["outputs"]

    def value(self, graph, source, slot=0):
        """What a slot gives, as text; of a list, all of them."""
        texts = self.outputs({**graph, "shown": shown(source, slot)})["shown"]["text"]
        return texts[0] if len(texts) == 1 else texts

    def pictures(self, graph, source, slot=0):
        """The pictures that a slot gives, as arrays [height, width, channels]."""
        output = self.outputs({**graph, "pictures": node("PreviewImage", images=[source, slot])})
        return [self.picture(file) for file in output["pictures"]["images"]]

    def file(self, reference):
        reply = self.get("/view", params=reference)
        assert reply.status_code == 200, reply.text
        return reply.content

    def picture(self, reference):
        return np.asarray(Image.open(io.BytesIO(self.file(reference))))

    def info(self, class_type):
        return self.get(f"/object_info/{class_type}").json()[class_type]

    def conversation(self, graph, **fields):
        """Run a graph with a socket; everything that it hears, binary messages too."""
        client_id = new_id()
        with self.socket(client_id) as socket:
            prompt_id = self.submit(graph, client_id=client_id, **fields)
            return read_until(socket, is_left(prompt_id))


def shown(source, slot=0):
    return node("logic showAnything", anything=[source, slot])


def solid(color=0x336699, width=32, height=16, count=1):
    return node("EmptyImage", width=width, height=height, batch_size=count, color=color)


def save_picture(path, color=(200, 100, 50), size=(24, 12)):
    Image.new("RGB", size, color).save(path)


def constant(text):
    """A node that gives a text."""
    return node("Text Replace (Prompt Tools)", text=text, find="", replace="")
