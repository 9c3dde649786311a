"""A device process with toy nodes and no torch: started by tests as `python tests/toy_child.py FD`.

The graph's nodes run in order; their class says what they do (see `_run_node`).
"""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import orjson

sys.path.insert(0, str(Path(__file__).parent.parent / "src"))

from inglenook.engine import events
from inglenook.workers import child
from inglenook.workers.messages import Device, Ready, Stats
from inglenook.workers.questions import Answerer

CLASSES = (
    "Say", "Sleep", "Kill", "KillOnce", "Exit", "Hang", "Grow", "Fail", "Rubbish", "Bytes", "Odd", "Escape", "Leave",
    "Start", "Until",
)  # fmt: skip


class Stopped(Exception):
    pass


def start_process(how):
    """Start a process as a pack may: it has this one's standard output, a forked one everything else too."""
    if how == "exec":
        return subprocess.Popen(["sleep", "60"]).pid
    pid = os.fork()
    if pid == 0:
        if how == "daemon":
            os.setsid()
        time.sleep(60)
        os._exit(0)
    return pid


class ToyRuntime:
    def __init__(self, configure, process):
        self.device = Device("toy", "cpu", None, 1, 1, 1, 1)
        self.answerer = Answerer({}, rewrite, process.outbox.send)

    def ready(self, import_seconds):
        documents = {name: {"input": {}, "output": [], "output_node": True} for name in CLASSES}
        return Ready(os.getpid(), documents, [self.device], {"toy": "1"}, import_seconds)

    def execute(self, message, emit, is_interrupted):
        graph = orjson.loads(message.graph)
        outputs, meta, now = {}, {}, lambda: int(time.time() * 1000)
        emit(events.Started(now()))
        emit(events.Cached([], now()))
        node_id = ""
        try:
            for node_id, node in graph.items():
                ref = events.NodeRef(node_id, node_id, None, node_id)
                emit(events.NodeStarted(ref))
                output = self.run_node(node["class_type"], node["inputs"], ref, emit, is_interrupted)
                outputs[node_id], meta[node_id] = output, ref
                emit(events.NodeDone(ref, output))
        except Stopped:
            emit(events.Interrupted(node_id, "Sleep", list(outputs), outputs, meta, now()))
        except ValueError as error:
            text = f"{error}\n"
            done = list(outputs)
            emit(events.Failed(node_id, "Fail", text, "ValueError", [], {}, done, done, outputs, meta, now()))
        else:
            emit(events.Succeeded(outputs, meta, now()))

    def run_node(self, kind, inputs, ref, emit, is_interrupted):
        if kind == "Say":
            print(inputs["text"], flush=True)
        elif kind == "Sleep":
            end = time.monotonic() + inputs["seconds"]
            step = 0
            while time.monotonic() < end:
                if is_interrupted():
                    raise Stopped
                step += 1
                emit(events.Progress(ref, step, 100))
                time.sleep(0.01)
        elif kind == "Hang":
            time.sleep(inputs["seconds"])
        elif kind == "Until":
            until_there(inputs["path"])
        elif kind == "Kill":
            time.sleep(0.05)
            os.kill(os.getpid(), signal.SIGKILL)
        elif kind == "KillOnce":
            marker = Path(inputs["marker"])
            if not marker.exists():
                marker.touch()
                time.sleep(0.05)
                os.kill(os.getpid(), signal.SIGSEGV)
        elif kind == "Exit":
            os._exit(inputs["code"])
        elif kind == "Grow":
            self.ballast = bytearray(inputs["megabytes"] << 20)
            time.sleep(60)
        elif kind == "Fail":
            raise ValueError("as asked")
        elif kind == "Bytes":
            return {"text": [b"not JSON"]}
        elif kind == "Odd":  # what the engine would not let through
            odd = {"surrogate": "\ud800", "integer": 2**70, "object": object()}[inputs["kind"]]
            if inputs.get("late"):
                emit(events.Custom("odd", odd))
                time.sleep(0.1)  # alone in the outbox's own thread
                return {"text": ["sent late"]}
            if inputs.get("fails"):
                raise ValueError(odd)
            return {"text": [odd]}
        elif kind == "Escape":
            raise {"RuntimeError": RuntimeError, "SystemExit": SystemExit}[inputs["kind"]]("escaped")
        elif kind == "Start":
            Path(inputs["pid_file"]).write_text(str(start_process(inputs["how"])))
        elif kind == "Leave":  # with a thread for which the interpreter would wait
            threading.Thread(target=time.sleep, args=(60,)).start()
            raise KeyboardInterrupt
        elif kind == "Rubbish":
            os.write(1, bytes(range(256)) * 100)
            for descriptor in (0, 1, 2):
                os.close(descriptor)
        return {"text": [f"{kind} done"]}

    def free(self, *, unload_models, free_memory):
        pass

    def stats(self):
        return Stats([self.device])

    def ask(self, question):
        self.answerer.ask(question)


def rewrite(body):
    """Takes as long as the prompt says, or until there is a file of its name."""
    time.sleep(body.get("seconds", 0))
    if "path" in body:
        until_there(body["path"])
    return body


def until_there(path):
    while not Path(path).exists():
        time.sleep(0.01)


if __name__ == "__main__":
    child.main(ToyRuntime)
