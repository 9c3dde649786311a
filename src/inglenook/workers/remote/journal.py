"""Notes of the files that attempts on remote servers wrote here (see `media.attempts`), from any thread."""

from __future__ import annotations

from pathlib import Path
from threading import Lock

from inglenook.media.attempts import AttemptJournal


class RemoteJournal:
    """One for all remote workers of a process; its file is made with the first note."""

    def __init__(self, data_folder: Path) -> None:
        self._data_folder = data_folder
        self._journal: AttemptJournal | None = None
        self._lock = Lock()

    def note(self, job_id: str, path: Path) -> None:
        """Remember that an attempt at the job has made this file. Raises OSError."""
        inode = path.stat(follow_symlinks=False).st_ino
        with self._lock:
            if self._journal is None:
                self._journal = AttemptJournal(self._data_folder)
            self._journal.note(job_id, str(path), inode)

    def close(self) -> None:
        with self._lock:
            if self._journal is not None:
                self._journal.close()
                self._journal = None
