"""A real server with the pack of rules in a folder that `extra_model_paths.yaml` names, and short ways to ask it."""

import itertools
import json
from pathlib import Path

from tests.api.live import LiveServer, is_left, new_id, read_until

PACKS = Path(__file__).parent / "custom_nodes"
_numbers = itertools.count()


class RuleServer(LiveServer):
    def __init__(self, base, *, keeps=True, **settings):
        super().__init__(base, **settings)
        self.keeps = keeps
        """Whether its cache keeps results from run to run."""

    def start(self):
        (self.base / "extra_model_paths.yaml").write_text(f"tests:\n    custom_nodes: {PACKS}\n")
        super().start()
        self.until(lambda: "RuleText" in self.get("/object_info").json())
        return self

    def texts(self, graph, node_id="show", **fields):
        """Run a graph; the texts that a node shows, JSON read where it is JSON."""
        entry = self.run(graph, **fields)
        assert entry["status"]["status_str"] == "success", entry["status"]["messages"]
        return [parsed(text) for text in entry["outputs"][node_id]["text"]]

    def text(self, graph, node_id="show", **fields):
        (text,) = self.texts(graph, node_id, **fields)
        return text

    def error(self, graph, **fields):
        """Run a graph that fails; the data of its `execution_error`."""
        name, data = self.run(graph, **fields)["status"]["messages"][-1]
        assert name == "execution_error"
        return data

    def watch(self, graph, **fields):
        """Run a graph with a socket; all JSON messages of the run."""
        client_id = new_id()
        with self.socket(client_id) as socket:
            prompt_id = self.submit(graph, client_id=client_id, **fields)
            seen = read_until(socket, is_left(prompt_id))
        return [message for message in seen if isinstance(message, dict)]

    def refused(self, graph, **fields):
        """The body of the 400 that a graph gets."""
        reply = self.post("/prompt", {"prompt": graph, **fields})
        assert reply.status_code == 400, reply.text
        return reply.json()


def parsed(text):
    try:
        return json.loads(text)
    except (TypeError, ValueError):
        return text


def node(class_type, **inputs):
    return {"class_type": class_type, "inputs": inputs}


def shown(source, slot=0, kind="RuleShow"):
    """An output node on a slot of `source`."""
    return node(kind, value=[source, slot])


def new_key():
    """A key that no other test uses."""
    return f"key {next(_numbers)} {new_id()}"


def of_type(messages, kind):
    return [message["data"] for message in messages if message["type"] == kind]
