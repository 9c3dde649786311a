"""What the device process runs, with torch and the built-in nodes, in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent.parent / "src")}

_PROGRAM = """
import socket
import sys
from pathlib import Path
import orjson
from inglenook.settings import Settings
from inglenook.workers.child import DeviceProcess
from inglenook.workers.messages import Configure, Execute
from inglenook.workers.runtime import EngineRuntime
from inglenook.workers.standard_streams import StandardStreams

parent, child = socket.socketpair()
nodes = int(sys.argv[2])
settings = Settings(base_directory=Path(sys.argv[1]), max_nodes=nodes, worker_threads=1)
process = DeviceProcess(child, StandardStreams())
runtime = EngineRuntime.start(Configure(settings.model_dump_json().encode(), "cpu"), process)
node = {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64, "batch_size": 1}}
graph = orjson.dumps({str(number): node for number in range(nodes)})
events = []
runtime.execute(Execute("job", 1, graph, ["0"], {}), events.append, lambda: False)
print(type(events[-1]).__name__, flush=True)
"""


def test_a_graph_of_as_many_nodes_as_the_settings_allow_runs(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(tmp_path), "20001"], capture_output=True, text=True, env=ENVIRONMENT
    )
    assert done.stdout == "Succeeded\n", done.stderr
