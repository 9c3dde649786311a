"""The sockets that are connected, and which of them a message is for.

Where users are told apart, a socket hears of its user's jobs alone. A browser cannot say on a socket who its user is,
and the official editor does not try: such a socket is open, unless a key has a user of its own. It hears of the jobs
that carry its id, whoever submitted them, and is from then on the socket of those users, too: who submits under the id
of somebody else's socket tells that one something, and takes nothing from it.
"""

from __future__ import annotations

from collections.abc import Iterator

from inglenook.api.comfy.client_socket import ClientSocket
from inglenook.dispatch.run import Run


class Connected:
    """All sockets of a server; iterating gives those that hear what is told to all: the newest of each id."""

    def __init__(self) -> None:
        self._sockets: set[ClientSocket] = set()
        self._by_sid: dict[tuple[str | None, str], ClientSocket] = {}
        """(user, sid) -> the newest socket of that id."""
        self._open: dict[str, ClientSocket] = {}
        """sid -> the newest open socket of that id."""

    def __len__(self) -> int:
        return len(self._sockets)

    def __iter__(self) -> Iterator[ClientSocket]:
        return iter(self._sockets)

    def enter(self, socket: ClientSocket) -> ClientSocket | None:
        """Take a socket in; return the older one of the same id, which hears nothing any more."""
        older = self._newest(socket)
        if older is not None:
            self._sockets.discard(older)
        if socket.is_open:
            self._open[socket.sid] = socket
        else:
            self._by_sid[(socket.user, socket.sid)] = socket
        self._sockets.add(socket)
        return older

    def leave(self, socket: ClientSocket) -> None:
        self._sockets.discard(socket)
        if self._newest(socket) is not socket:
            return
        if socket.is_open:
            del self._open[socket.sid]
        else:
            del self._by_sid[(socket.user, socket.sid)]

    def _newest(self, socket: ClientSocket) -> ClientSocket | None:
        if socket.is_open:
            return self._open.get(socket.sid)
        return self._by_sid.get((socket.user, socket.sid))

    def named(self, user: str | None, sid: str) -> list[ClientSocket]:
        """The sockets that a user means by an id: its own, and an open one."""
        found = (self._by_sid.get((user, sid)), self._open.get(sid))
        return [socket for socket in found if socket is not None]

    def learn(self, user: str | None, sid: str) -> None:
        """An open socket of this id is the socket of this user."""
        socket = self._open.get(sid)
        if socket is not None:
            socket.learn(user)

    def of_user(self, user: str | None) -> list[ClientSocket]:
        return [socket for socket in self._sockets if user in socket.users]

    def watchers(self, run: Run) -> list[ClientSocket]:
        """Sockets that hear of the job as `task_update`."""
        user = run.job.user
        return [socket for socket in self._sockets if socket.hears_everything and user in socket.users]

    def clients(self, run: Run) -> list[ClientSocket]:
        """Sockets whose id the job carries."""
        return [socket for client_id in run.client_ids for socket in self.named(run.job.user, client_id)]

    def targets(self, run: Run) -> list[ClientSocket]:
        """Sockets that are told at least something of a run."""
        return self.of_user(run.job.user) if run.job.client_id is None else self.clients(run)

    @staticmethod
    def hears_all(socket: ClientSocket, run: Run) -> bool:
        """Whether a target of a run is told all of it: those that submitted it are, under whichever id."""
        return run.job.client_id is not None or socket.hears_everything or socket.sid in run.also_for
