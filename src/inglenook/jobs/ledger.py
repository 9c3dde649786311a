"""What the writer knows of the stored jobs without asking the database.

Counting 100,000 rows takes milliseconds, even from an index; so they are counted once, when the store is opened, and
kept up to date by what is written. Only one process writes.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from sqlalchemy import Connection, func, select

from inglenook.jobs.changes import Changes
from inglenook.jobs.job import State
from inglenook.jobs.tables import jobs
from inglenook.jobs.webhook_tables import webhooks


@dataclass(slots=True)
class Ledger:
    """Counts of jobs and the next values of what the writer numbers itself. Gaps in the numbers are harmless."""

    sequence: int = 0
    end_order: int = 0
    history: int = 0
    """Jobs that are in the history."""
    by_state: dict[State, int] = field(default_factory=lambda: dict.fromkeys(State, 0))
    webhooks: int = 0
    """Registrations of webhooks; while there are none, nothing looks for them."""
    deliveries: int = 0
    """Deliveries to webhooks that were written since the store was opened."""
    changes: Changes = field(default_factory=Changes)
    """Of the transaction that runs."""

    @property
    def not_run(self) -> int:
        """Jobs that were cancelled before they ran: they have ended, but are not in the history."""
        return sum(count for state, count in self.by_state.items() if state.is_end) - self.history

    def take_sequences(self, count: int) -> range:
        self.sequence += count
        return range(self.sequence - count, self.sequence)

    def take_end_orders(self, count: int) -> range:
        self.end_order += count
        return range(self.end_order - count, self.end_order)

    def move(self, source: State | None, target: State | None, count: int = 1, *, in_history: bool = False) -> None:
        """Jobs change their state, appear (no source) or are removed (no target), into or out of the history."""
        if source is not None:
            self.by_state[source] -= count
        if target is not None:
            self.by_state[target] += count
        if in_history:
            self.history += count if target is not None else -count

    def counts_as(self, other: Ledger) -> bool:
        """Whether both tell of the same jobs, as far as counts can say."""
        mine, others = (self.by_state, self.history, self.webhooks), (other.by_state, other.history, other.webhooks)
        return mine == others

    def copy(self) -> Ledger:
        """The same for a new transaction."""
        return replace(self, by_state=dict(self.by_state), changes=Changes())


def read_ledger(connection: Connection) -> Ledger:
    """Count what is stored."""
    ledger = Ledger()
    highest = select(func.max(jobs.c.sequence), func.max(jobs.c.end_order))
    sequence, end_order = connection.execute(highest).one()
    ledger.sequence = 0 if sequence is None else sequence + 1
    ledger.end_order = 0 if end_order is None else end_order + 1
    for state, count in connection.execute(select(jobs.c.state, func.count()).group_by(jobs.c.state)):
        ledger.by_state[State(state)] = count
    in_history = select(func.count()).where(jobs.c.in_history.is_(True), jobs.c.end_order.is_not(None))
    ledger.history = connection.scalar(in_history) or 0
    ledger.webhooks = connection.scalar(select(func.count()).select_from(webhooks)) or 0
    return ledger
