"""What a device process runs: our engine with the built-in nodes and those of packs, on one device. Imports torch."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Protocol

import orjson
import psutil
import torch

from inglenook.engine.events import AnyEvent
from inglenook.engine.executor import Executor, Run
from inglenook.engine.graph import Graph
from inglenook.errors import WorkerError
from inglenook.media import writing
from inglenook.media.attempts import AttemptJournal
from inglenook.media.folders import Folders
from inglenook.models import architectures
from inglenook.models.memory import ModelStore
from inglenook.nodes import registry
from inglenook.nodes.environment import Environment, install
from inglenook.nodes.interfaces import builtin_interfaces
from inglenook.packs.v3 import caching
from inglenook.settings import Settings
from inglenook.workers.caches import make_cache
from inglenook.workers.log_lines import send_records
from inglenook.workers.messages import Ask, Configure, Device, Execute, Ready, Stats
from inglenook.workers.outbox import Outbox
from inglenook.workers.pack_side import PackSide
from inglenook.workers.questions import Answerer

logger = logging.getLogger(__name__)


class Process(Protocol):
    """The device process, as what runs in it sees it (`workers.child.DeviceProcess`)."""

    outbox: Outbox

    def interrupt(self) -> None: ...

    def free(self, *, unload_models: bool, free_memory: bool) -> None: ...


class EngineRuntime:
    """The executor, its nodes and what they share."""

    def __init__(
        self, settings: Settings, device: torch.device, process: Process, skipped_packs: Mapping[str, str]
    ) -> None:
        """Set up models, nodes and packs. skipped_packs: name -> why a pack is not imported."""
        budget = settings.model_memory_gb
        self._device = device
        self._max_nodes = settings.max_nodes
        self._models = ModelStore(
            device,
            None if budget is None else round(budget * (1 << 30)),
            reserved_bytes=round((settings.reserve_vram_gb or 0) * (1 << 30)),
        )
        self._environment = Environment(
            folders=Folders.from_settings(settings),
            models=self._models,
            max_megapixels=settings.max_megapixels,
            save_metadata=not settings.disable_metadata,
            preview_method=settings.preview_method,
            preview_size=settings.preview_size,
        )
        install(self._environment)
        writing.keep_journal(AttemptJournal(settings.data_folder))
        writing.flush_to_disk(settings.flush_outputs)
        implementations = registry.load()
        self._builtin = tuple(implementations)
        self._packs = PackSide(settings, self._environment.folders, process)
        self._imported = self._packs.import_all(skipped_packs)
        for imported in self._imported:
            implementations |= imported.implementations
        self._executor = Executor(
            implementations,
            make_cache(settings),
            on_out_of_memory=self._models.unload,
            providers=caching.registered,
        )
        self._answerer = Answerer(implementations, self._packs.rewrite_prompt, process.outbox.send)

    @classmethod
    def start(cls, configure: Configure, process: Process) -> EngineRuntime:
        """Set up the process for its settings and device."""
        settings = Settings.from_resolved(configure.settings)
        send_records(settings.log_level)
        if settings.worker_threads is not None:
            torch.set_num_threads(settings.worker_threads)
        torch.set_grad_enabled(False)
        threading.Thread(target=architectures.preload, name="preload", daemon=True).start()
        return cls(settings, _choose_device(configure.device), process, configure.skipped_packs)

    def ready(self, import_seconds: float) -> Ready:
        """Return the first message: what this process can do."""
        builtin = builtin_interfaces()
        of_packs = self._answerer.changed_documents()
        return Ready(
            pid=psutil.Process().pid,
            documents={class_type: builtin[class_type] for class_type in self._builtin} | of_packs,
            devices=self._devices(),
            versions={"torch": str(torch.__version__)},
            import_seconds=import_seconds,
            packs=[imported.report for imported in self._imported],
            replacements=self._packs.replacements(),
            model_folders=self._packs.model_folders(),
            routes_at=self._packs.serve_routes(),
            rewrites_prompts=self._packs.rewrites_prompts,
        )

    def ask(self, question: Ask) -> None:
        """Answer soon, beside the run."""
        self._answerer.ask(question)

    def execute(self, message: Execute, emit: Callable[[AnyEvent], None], is_interrupted: Callable[[], bool]) -> None:
        """Run one job to its end event."""
        method = message.extra_data.get("preview_method")
        run = Run(
            job_id=message.job_id,
            graph=Graph.parse(orjson.loads(message.graph), max_nodes=self._max_nodes),
            outputs=tuple(message.outputs),
            extra_data=message.extra_data,
            preview_method=method if isinstance(method, str) and method != "default" else None,
            ask_validators=message.ask_validators,
        )
        with self._packs.running(run), torch.inference_mode():
            self._executor.execute(run, emit, is_interrupted)

    def free(self, *, unload_models: bool, free_memory: bool) -> None:
        """Unload models; with free_memory drop the node cache too."""
        if free_memory:
            self._executor.clear()
        if unload_models or free_memory:
            self._models.unload()

    def stats(self) -> Stats:
        return Stats(self._devices(), len(self._models.loaded()), self._models.used_bytes)

    def _devices(self) -> list[Device]:
        device = self._device
        if device.type == "cuda":
            free, total = torch.cuda.mem_get_info(device)
            reserved = torch.cuda.memory_reserved(device)
            name = f"{device} {torch.cuda.get_device_name(device)}"
            unused = reserved - torch.cuda.memory_allocated(device)
            return [Device(name, "cuda", device.index or 0, total, free, reserved, unused)]
        memory = psutil.virtual_memory()
        return [Device("cpu", "cpu", None, memory.total, memory.available, memory.total, memory.available)]


def _choose_device(wanted: str) -> torch.device:
    """Raises WorkerError for a GPU that is not there."""
    if wanted == "auto":
        return torch.device("cuda", torch.cuda.current_device()) if torch.cuda.is_available() else torch.device("cpu")
    device = torch.device(wanted)
    if device.type != "cuda":
        return device
    if not torch.cuda.is_available():
        logger.warning("there is no GPU here, so %s cannot be used: models run on the CPU", wanted)
        return torch.device("cpu")
    if (device.index or 0) >= torch.cuda.device_count():
        raise WorkerError(f"there is no GPU {device.index}: {torch.cuda.device_count()} are seen, counted from 0")
    torch.cuda.set_device(device)  # "cuda" without a number, as packs write it, means the same
    return device
