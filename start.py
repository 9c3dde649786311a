"""Starts the server: `python start.py --host 0.0.0.0 --port 8000 --comfyui-server HOST:PORT`.

The same as `inglenook serve`, with all of its options, on port 8000 unless another is named. Works in a checkout
without installation, too, once the packages of `pyproject.toml` are there.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

PORT = "8000"


def main(arguments: list[str]) -> None:
    source = Path(__file__).resolve().parent / "src"
    if source.is_dir():
        sys.path.insert(0, str(source))
        # device processes are started anew and look there too
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(source), os.environ.get("PYTHONPATH"))))
    from inglenook.cli import main as run
    from inglenook.settings import Settings

    is_port_named = any(argument.partition("=")[0] == "--port" for argument in arguments)
    if not is_port_named and "port" not in Settings().model_fields_set:
        arguments = ["--port", PORT, *arguments]
    sys.argv = [sys.argv[0], "serve", *arguments]
    run()


if __name__ == "__main__":
    main(sys.argv[1:])
