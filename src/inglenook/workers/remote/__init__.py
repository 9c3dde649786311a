"""Other ComfyUI-compatible servers as workers."""

from inglenook.workers.remote.journal import RemoteJournal
from inglenook.workers.remote.limits import RemoteLimits
from inglenook.workers.remote.worker import RemoteWorker

__all__ = ["RemoteJournal", "RemoteLimits", "RemoteWorker"]
