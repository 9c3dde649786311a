"""Node packs inside the device process: imported at its start, told of each run, their routes served."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from inglenook.engine.executor import Run
from inglenook.engine.replacement import NodeReplacement
from inglenook.media.folders import Folders
from inglenook.packs.discovery import Pack, find_packs
from inglenook.packs.host import Host
from inglenook.packs.importing import ImportedPack, import_packs, prepare_process
from inglenook.packs.side_loop import SideLoop
from inglenook.settings import Settings
from inglenook.workers.messages import Importing, ModelFolderAdded

if TYPE_CHECKING:
    from inglenook.workers.runtime import Process

logger = logging.getLogger(__name__)


class PackSide:
    """What packs need of the process, and what the process needs of them. Without packs it costs nothing."""

    def __init__(self, settings: Settings, folders: Folders, process: Process) -> None:
        self._settings = settings
        self._folders = folders
        self._process = process
        self._found = self._wanted_packs()
        self._host = Host(
            base=settings.base_directory,
            settings=settings,
            send=process.outbox.notify,
            interrupt=process.interrupt,
            free=process.free,
        )

    def _wanted_packs(self) -> list[Pack]:
        folder = self._folders.model_folder("custom_nodes")
        found = [] if folder is None else find_packs(folder.paths)
        if not self._settings.disable_all_custom_nodes:
            return found
        wanted = self._settings.whitelist_custom_nodes
        for name in sorted({*wanted} - {pack.name for pack in found}):
            logger.warning("the whitelist names the pack %s, which is not there", name)
        return [pack for pack in found if pack.name in wanted]

    def import_all(self, skipped: Mapping[str, str]) -> list[ImportedPack]:
        """Import the packs, each announced to the parent first: if the process dies of one, it knows of which."""
        if not self._found:
            return []
        self._host.loop = SideLoop().start().loop
        folder = self._folders.model_folder("custom_nodes")
        prepare_process(self._host, () if folder is None else folder.paths)
        return import_packs(
            self._found, skipped=skipped, announce=lambda name: self._process.outbox.send(Importing(name))
        )

    @contextmanager
    def running(self, run: Run) -> Iterator[None]:
        """Let packs know whose job runs."""
        self._host.job_id = run.job_id
        client_id = run.extra_data.get("client_id")
        self._host.client_id = client_id if isinstance(client_id, str) else None
        try:
            yield
        finally:
            self._host.job_id = None

    def model_folders(self) -> list[ModelFolderAdded]:
        """Model folders that packs registered, without those whose names, paths or extensions are no texts."""
        told = []
        for folder in self._folders.changed_model_folders():
            added = ModelFolderAdded(folder.name, [str(path) for path in folder.paths], list(folder.extensions))
            try:
                told.append(msgspec.msgpack.decode(msgspec.msgpack.encode(added), type=ModelFolderAdded))
            except (msgspec.ValidationError, UnicodeEncodeError, TypeError) as error:
                logger.error("model folder %a of a node pack is left out: %s", folder.name, error)
        return told

    def replacements(self) -> list[NodeReplacement]:
        """Node classes that packs replace by others."""
        if not self._found:
            return []
        from inglenook.packs.v3.replacements import registered

        return [replacement for found in registered().values() for replacement in found]

    def serve_routes(self) -> str | None:
        """Serve the routes that packs added; where, or None when there are none."""
        if self._host.loop is None:
            return None
        from inglenook.packs import route_server
        from inglenook.packs.prompt_server import PromptServer

        return route_server.start(PromptServer.instance, self._host.loop)

    @property
    def rewrites_prompts(self) -> bool:
        """Whether a pack wants to see each prompt."""
        if not self._found:
            return False
        from inglenook.packs.prompt_server import PromptServer

        return bool(PromptServer.instance.on_prompt_handlers)

    def rewrite_prompt(self, body: Any) -> Any:
        """The body of a `POST /prompt` as packs want it."""
        from inglenook.packs.prompt_server import PromptServer

        return PromptServer.instance.trigger_on_prompt(body)
