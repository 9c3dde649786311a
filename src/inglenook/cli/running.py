"""`inglenook run`: one workflow on a server that runs, or on one that is started for it."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from inglenook.cli.logs import configure_logs
from inglenook.cli.options import make_settings
from inglenook.cli.progress import JobProgress
from inglenook.cli.serving import has_engine
from inglenook.cli.workflow_file import read_workflow, title, with_inputs
from inglenook.client import AsyncClient, ClientError, JobFailed, Outputs, PromptRejected, StreamedImage
from inglenook.client.saving import ArrivingFile
from inglenook.engine.schema import NodeSchema
from inglenook.errors import SettingsError, WorkflowError
from inglenook.settings import Settings

_PACKS = "custom_nodes/"


def for_ourselves() -> dict[str, Any]:
    """Settings of a server that is only for this command: a free port, and a key that nobody else has."""
    return {"host": "127.0.0.1", "port": 0, "api_key": secrets.token_urlsafe(32)}


def run_workflow(
    workflow: Path,
    assignments: Sequence[str],
    *,
    output: Path | None,
    url: str | None,
    api_key: str | None,
    options: Mapping[str, Any],
) -> None:
    """Run a workflow file and print the paths of its results; `options` are those of a server that is started.

    Raises WorkflowError for a workflow that cannot be read or is refused, ClientError for one that fails.
    """
    graph = read_workflow(workflow)
    if url is not None:
        asyncio.run(_run_there(graph, assignments, url, api_key, output or Path()))
        return
    settings = make_settings({**options, **for_ourselves()})
    configure_logs(
        settings.log_level, folder=settings.data_folder / "logs", console_level="warning", quiet="inglenook.device"
    )
    asyncio.run(_run_here(graph, assignments, settings, output))


async def _run_there(
    graph: Mapping[str, Any], assignments: Sequence[str], url: str, api_key: str | None, folder: Path
) -> None:
    try:
        client = AsyncClient(url, api_key=api_key)
    except ValueError as error:
        raise SettingsError(f"--url: {error}") from error
    async with client:
        changed = await _changed(client, graph, assignments)
        outputs = await run_with_progress(client, changed)
        _show(changed, outputs, await save_all(client, outputs, folder))


async def _run_here(
    graph: Mapping[str, Any], assignments: Sequence[str], settings: Settings, folder: Path | None
) -> None:
    async with own_server(settings) as client:
        changed = await _changed(client, graph, assignments)
        outputs = await run_with_progress(client, changed)
        if folder is not None:
            paths = await save_all(client, outputs, folder)
        else:
            paths = [*_where_they_are(settings, outputs), *_save_streamed(outputs, settings.output_folder)]
    _show(changed, outputs, paths)


@contextlib.asynccontextmanager
async def own_server(settings: Settings) -> AsyncIterator[AsyncClient]:
    """A server for the time of the block, and a client of it; the traffic goes over a socket like anybody's.

    settings: with those of `for_ourselves`. Raises SettingsError when it cannot start.
    """
    if not has_engine():
        raise SettingsError("PyTorch is not installed: pip install 'inglenook[engine]', or name a server with --url")
    from inglenook.api.server import running_server
    from inglenook.jobs import DataFolderLocked

    async with contextlib.AsyncExitStack() as stack:
        try:
            url = await stack.enter_async_context(running_server(settings))
        except DataFolderLocked as error:
            raise SettingsError(f"{error}; or have that server run it with --url") from error
        yield await stack.enter_async_context(AsyncClient(url, api_key=settings.api_key[0].get_secret_value()))


async def _changed(client: AsyncClient, graph: Mapping[str, Any], assignments: Sequence[str]) -> dict[str, Any]:
    """Apply `--set`; the server says which inputs its classes declare."""
    classes = sorted({node["class_type"] for node in graph.values()}) if assignments else []
    declared: dict[str, list[str]] = {}
    for name in classes:
        document = (await client.object_info(name)).get(name)
        declared[name] = [] if document is None else list(NodeSchema.from_info(name, document).inputs)
    return with_inputs(graph, assignments, lambda name: declared.get(name, ()))


async def run_with_progress(client: AsyncClient, graph: Mapping[str, Any]) -> Outputs:
    """Run a graph with bars on stderr; cancelled, it cancels the job.

    Raises WorkflowError that lists the faults of the nodes, or names the node that failed.
    """
    prompt_id = str(uuid.uuid4())
    try:
        with JobProgress(graph, Console(stderr=True)) as progress:
            return await client.run(graph, prompt_id=prompt_id, on_event=progress.take)
    except PromptRejected as error:
        raise WorkflowError(_refusal(graph, error)) from error
    except JobFailed as error:
        if any(_PACKS in line for line in error.traceback):  # whoever writes a node wants to know where
            typer.echo("".join(error.traceback).rstrip(), err=True)
        raise WorkflowError(f"{_named(graph, error.node_id)} failed: {_reason(error)}") from error
    except asyncio.CancelledError:
        with contextlib.suppress(ClientError):
            await client.cancel(prompt_id)
        raise


def _named(graph: Mapping[str, Any], node_id: str) -> str:
    return f"{title(graph, node_id)} (node {node_id})" if node_id else "the workflow"


def _reason(error: JobFailed) -> str:
    """Why a node failed; the exceptions of inglenook say enough without their names."""
    message = error.exception_message.strip()
    if not message or error.exception_type.startswith("inglenook.") or not error.exception_type:
        return message or error.exception_type
    return f"{error.exception_type}: {message}"


def _refusal(graph: Mapping[str, Any], error: PromptRejected) -> str:
    faults = [
        f"  {_named(graph, node_id)}: {reason.get('message')}: {reason.get('details')}"
        for node_id, entry in error.node_errors.items()
        for reason in entry.get("errors", [])
    ]
    packs = error.extra_info.get("packs") or {}
    faults += [f"  pack {name}: {why}" for name, why in packs.items()]
    return "\n".join([f"the workflow was refused: {error.message}", *faults])


async def save_all(client: AsyncClient, outputs: Outputs, folder: Path) -> list[Path]:
    """Download every result into a folder."""
    files = [await client.save(file, folder) for file in outputs.files]
    return [*files, *_save_streamed(outputs, folder)]


def _save_streamed(outputs: Outputs, folder: Path) -> list[Path]:
    return [_save_one(image, folder) for image in outputs.streamed]


def _save_one(image: StreamedImage, folder: Path) -> Path:
    with ArrivingFile(folder, f"node_{image.node}.png") as arriving:
        arriving.write(image.data)
        return arriving.commit()


def _where_they_are(settings: Settings, outputs: Outputs) -> list[Path]:
    roots = {"output": settings.output_folder, "temp": settings.temp_folder, "input": settings.input_folder}
    return [roots[file.type] / file.subfolder / file.filename for file in outputs.files if file.type in roots]


def _show(graph: Mapping[str, Any], outputs: Outputs, paths: Sequence[Path]) -> None:
    for text in outputs.text:
        typer.echo(text)
    for path in paths:
        typer.echo(shortened(path))
    if not paths and not outputs.text:
        typer.echo(f"done: {len(graph)} nodes, no files", err=True)


def shortened(path: Path) -> Path:
    """Return a path as a user of the current folder would write it."""
    try:
        return path.absolute().relative_to(Path.cwd())
    except ValueError:
        return path
