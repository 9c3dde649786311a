"""The queue as node packs see it: what the device process knows of it, which is the job that it runs now."""

from __future__ import annotations

from typing import Any

from inglenook.packs.host import host
from inglenook.packs.surface_finder import missing

QueueItem = tuple[float, str, dict[str, Any], dict[str, Any], list[str]]
"""Number, prompt id, graph, extra data, output nodes; the device process tells the id and who submitted it."""

_missing = missing("server.PromptServer.prompt_queue")


class PromptQueue:
    """Stands where packs look for the server's queue."""

    @property
    def currently_running(self) -> dict[int, QueueItem]:
        """The job that runs now, under the key 0."""
        current = host()
        if current.job_id is None:
            return {}
        return {0: (0, current.job_id, {}, {"client_id": current.client_id}, [])}

    def get_tasks_remaining(self) -> int:
        """1 while a job runs here, else 0; jobs that wait are not known in this process."""
        return len(self.currently_running)

    def get_current_queue(self) -> tuple[list[QueueItem], list[QueueItem]]:
        """What runs and what waits; the latter is not known in this process."""
        return list(self.currently_running.values()), []

    get_current_queue_volatile = get_current_queue

    def set_flag(self, name: str, data: Any) -> None:
        """Ask for memory back after the current run: `unload_models` or `free_memory`."""
        if name not in ("unload_models", "free_memory"):
            raise ValueError(f"the queue has no flag {str(name)[:50]!r}: there are unload_models and free_memory")
        if data:
            host().free(unload_models=True, free_memory=name == "free_memory")

    def __getattr__(self, name: str) -> Any:
        return _missing(name)
