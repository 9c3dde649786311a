"""`inglenook demo`: the whole path, from a server's start to a picture on disk, in a folder that is thrown away."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from inglenook.cli.logs import configure_logs
from inglenook.cli.options import make_settings
from inglenook.cli.running import for_ourselves, own_server, run_with_progress, shortened
from inglenook.demo import load_workflow
from inglenook.errors import WorkflowError

_PICTURE = "inglenook-demo.png"


def run_demo(prompt: str, *, seed: int | None, folder: Path, options: Mapping[str, Any]) -> None:
    """Draw one picture and print where it is."""
    started = time.monotonic()
    graph = demo_graph(prompt, seed)
    configure_logs("warning")
    with tempfile.TemporaryDirectory(prefix="inglenook-demo-", ignore_cleanup_errors=True) as base:
        path, drawing_s = asyncio.run(_draw(graph, base, folder, options))
    typer.echo(f'"{prompt}": {shortened(path)}')
    typer.echo(f"from POST /prompt to the picture {drawing_s:.1f} s, all in all {time.monotonic() - started:.1f} s")


def demo_graph(prompt: str, seed: int | None) -> dict[str, Any]:
    """Return the packaged text-to-image workflow for a prompt."""
    graph = load_workflow()
    sampler = next(node for node in graph.values() if "positive" in node["inputs"])
    text_node, _ = sampler["inputs"]["positive"]
    graph[text_node]["inputs"]["text"] = prompt
    if seed is not None:
        sampler["inputs"]["seed"] = seed
    return graph


def _thrown_away(base: Path) -> dict[str, Any]:
    """Settings that keep everything in one folder, whatever the environment says."""
    folders = {f"{name}_directory": base / name for name in ("input", "output", "temp")}
    return {
        "base_directory": base,
        "user_directory": base / "user",
        "data_dir": base / "user",
        **folders,
        **for_ourselves(),
    }


async def _draw(graph: Mapping[str, Any], base: str, folder: Path, options: Mapping[str, Any]) -> tuple[Path, float]:
    settings = make_settings({**options, **_thrown_away(Path(base))})
    async with own_server(settings) as client:
        typer.echo(f"serving at {client.url}, the model process is starting", err=True)
        posted = time.monotonic()
        outputs = await run_with_progress(client, graph)
        drawing_s = time.monotonic() - posted
        if not outputs.images:
            raise WorkflowError("the demo workflow made no picture")
        picture = await client.download(outputs.images[0])
    return await asyncio.to_thread(_write, folder / _PICTURE, picture), drawing_s


def _write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path
