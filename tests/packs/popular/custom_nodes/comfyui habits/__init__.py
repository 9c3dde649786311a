"""Habits that are neither good nor rare: hooks at import, odd declarations, threads that talk at once."""

import atexit
import logging
import os
import signal
import sys
import threading

import folder_paths
import nodes
from server import PromptServer


logging.basicConfig(level=logging.INFO)
logging.getLogger("habits").info("habits: loading")


class Tee:
    """Keeps what is printed, as console extensions do."""

    def __init__(self, stream):
        self.stream = stream
        self.lines = []

    def write(self, data):
        self.lines.append(data)
        return self.stream.write(data)

    def flush(self):
        self.stream.flush()

    def __getattr__(self, name):
        return getattr(self.stream, name)


sys.stdout = Tee(sys.stdout)
atexit.register(lambda: print("habits: bye"))
if threading.current_thread() is threading.main_thread():
    previous = signal.signal(signal.SIGUSR2, lambda number, frame: None)

# The older way to add scripts, under a name of its own.
nodes.EXTENSION_WEB_DIRS["habits"] = os.path.join(os.path.dirname(os.path.realpath(__file__)), "web")

models = os.path.join(os.path.dirname(__file__), "models")
if "habits" in folder_paths.folder_names_and_paths:
    current, extensions = folder_paths.folder_names_and_paths["habits"]
else:
    current, extensions = [models], folder_paths.supported_pt_extensions | {".habit"}
folder_paths.folder_names_and_paths["habits"] = (current, extensions)
folder_paths.folder_names_and_paths["loras"][0].append(models)
assert os.path.isdir(os.path.dirname(folder_paths.__file__))
assert folder_paths.get_folder_paths("custom_nodes")
folder_paths.filename_list_cache.pop("habits", None)


def talk():
    PromptServer.instance.send_sync("habits.hello", {"from": "a thread, at once"})


from .odd import NODE_CLASS_MAPPINGS  # noqa

threading.Thread(target=talk, daemon=True).start()
talk()
