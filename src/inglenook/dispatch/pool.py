"""The workers of a dispatcher: who is there, who is being emptied, who can run what, who had what before."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from inglenook.dispatch.embeddings import bare
from inglenook.dispatch.needs import Choice, Needs
from inglenook.dispatch.placement import Candidate, Decision, Files, Pool, Seat, choose, note_time
from inglenook.dispatch.run import Run
from inglenook.dispatch.shapes import Shape, Use, shape_of
from inglenook.engine.schema import ChoiceSource, NodeSchema
from inglenook.errors import InglenookError
from inglenook.workers.worker import Worker, WorkerState

ListChoices = Callable[[ChoiceSource], Collection[str]]
"""What a declared list of choices holds now on this machine."""

_UP = (WorkerState.READY, WorkerState.BUSY)
_FIRST_REST_S, _LONGEST_REST_S = 1.0, 60.0
_REMEMBER_S = 2.0
"""How long an answer is remembered that depends on this machine's folders."""


class NameTaken(InglenookError):
    """There is a worker of this name."""


@dataclass(slots=True, eq=False)
class Member(Seat):
    """A worker of the pool."""

    worker: Worker = field(kw_only=True)
    is_draining: bool = False
    """It gets no more jobs."""
    last_files: Files = ()
    ended: Counter[str] = field(default_factory=Counter)
    """How many jobs ended here in each state, and how many were `lost` or `refused`."""
    doubts: int = 0
    """How many jobs in a row it refused that others ran."""
    rests_until_s: float = 0.0
    """Until then it gets no job because of that, on the monotonic clock."""
    _documents: Mapping[str, Any] | None = None
    _lists: dict[tuple[str, str], frozenset[str] | ChoiceSource | None] = field(default_factory=dict)
    _shapes: dict[str, Shape | None] = field(default_factory=dict)
    _answers: dict[Needs, tuple[bool, float]] = field(default_factory=dict)

    @property
    def capacity(self) -> int:
        """How many jobs it takes at a time."""
        return max(1, int(getattr(self.worker, "capacity", 1)))

    @property
    def is_free(self) -> bool:
        is_ready = not self.is_draining and self.worker.state is WorkerState.READY
        return is_ready and (not self.doubts or time.monotonic() >= self.rests_until_s)

    @property
    def is_up(self) -> bool:
        """It runs jobs, or could."""
        return self.worker.state in _UP

    def doubt(self) -> float:
        """It refused a job that another worker ran: give it none for a while, longer each time in a row.

        A server that refuses is always free, and would be asked first for every job. Returns the seconds.
        """
        rest_s = min(_FIRST_REST_S * 2.0**self.doubts, _LONGEST_REST_S)
        self.doubts += 1
        self.rests_until_s = time.monotonic() + rest_s
        return rest_s

    def has_all(self, needs: Needs, list_choices: ListChoices) -> bool:
        """Whether it can run what needs this."""
        now = time.monotonic()
        self._follow()
        known = self._answers.get(needs)
        if known is not None and now < known[1]:
            return known[0]
        answer = not (self.lacks_classes(needs) or self.lacks_inputs(needs) or self.lacks_choices(needs, list_choices))
        if len(self._answers) > 5000:
            self._answers.clear()
        self._answers[needs] = (answer, now + _REMEMBER_S)
        return answer

    def lacks_classes(self, needs: Needs) -> list[str]:
        """Node classes that it does not know."""
        return sorted(needs.class_types - (self.worker.documents or {}).keys())

    def embeddings_of(self, needs: Needs, list_choices: ListChoices) -> frozenset[str]:
        """Those of the embeddings that it has."""
        if hasattr(self.worker, "embeddings"):
            there: Collection[str] = self.worker.embeddings or ()
        else:  # of this machine
            there = [bare(name) for name in list_choices(ChoiceSource("files", "embeddings"))]
        return needs.embeddings.intersection(there)

    def lacks_inputs(self, needs: Needs) -> list[tuple[str, str]]:
        """Class and input (or output) of what its versions of classes do not have, or want besides."""
        self._follow()
        return sorted((use[0], name) for use in needs.uses for name in self._lacking(use))

    def _lacking(self, use: Use) -> Iterable[str]:
        class_type = use[0]
        if class_type not in self._shapes:
            self._shapes[class_type] = shape_of(class_type, (self._documents or {}).get(class_type))
        shape = self._shapes[class_type]
        return () if shape is None else shape.lacks(use)

    def lacks_choices(self, needs: Needs, list_choices: ListChoices) -> list[Choice]:
        """Values of inputs that are not in its lists; of classes that it knows."""
        self._follow()
        return sorted(choice for choice in needs.choices if not self._offers(choice, list_choices))

    def _follow(self) -> None:
        """Forget what was read from documents that it no longer has."""
        if self.worker.documents is not self._documents:
            self._documents = self.worker.documents
            self._lists.clear()
            self._shapes.clear()
            self._answers.clear()

    def _offers(self, choice: Choice, list_choices: ListChoices) -> bool:
        class_type, name, value = choice
        key = (class_type, name)
        if key not in self._lists:
            self._lists[key] = _list_of((self._documents or {}).get(class_type), class_type, name)
        found = self._lists[key]
        if isinstance(found, ChoiceSource):
            return value in found.extra or value in list_choices(found)
        return found is None or value in found


def _list_of(document: Any, class_type: str, name: str) -> frozenset[str] | ChoiceSource | None:
    """The choices of an input; None where it has no list, or none that can be read."""
    try:
        spec = NodeSchema.from_info(class_type, document).inputs.get(name)
    except (TypeError, ValueError, LookupError, AttributeError):
        return None
    choices = None if spec is None else spec.choices
    if choices is None or isinstance(choices, ChoiceSource):
        return choices
    return frozenset(item for item in choices if isinstance(item, str))


def difference(name: str, lacking: Mapping[str, Sequence[Any]]) -> str:
    """What `Members.lacking` says of a worker, for people."""
    things = [*lacking["classes"], *(choice[2] for choice in lacking["choices"])]
    inputs = [f"{class_type}.{one}" for class_type, one in lacking.get("inputs", ())]
    parts = [f"lacks {', '.join(things)}"] if things else []
    parts += [f"differs in {', '.join(inputs)}"] if inputs else []
    return f"{name} {' and '.join(parts) or 'lacks nothing'}"


class Members:
    """The pool. Its first worker is asked first where any of several would do."""

    def __init__(self, workers: Sequence[Worker], list_choices: ListChoices) -> None:
        self._members: dict[str, Member] = {}
        self._list_choices = list_choices
        self._times: dict[str, float] = {}
        self._embeddings: dict[Needs, tuple[frozenset[str], float]] = {}
        self._running: Counter[Files] = Counter()
        self._tick = 0
        for worker in workers:
            self.add(worker)

    def __iter__(self) -> Iterator[Member]:
        return iter(list(self._members.values()))

    def __len__(self) -> int:
        return len(self._members)

    def get(self, name: str) -> Member | None:
        return self._members.get(name)

    def add(self, worker: Worker) -> Member:
        """Raises NameTaken."""
        if worker.name in self._members:
            raise NameTaken(f"there is a worker {worker.name!r} already")
        member = self._members[worker.name] = Member(worker.name, worker=worker)
        return member

    def remove(self, name: str) -> Member | None:
        return self._members.pop(name, None)

    @property
    def workers(self) -> list[Worker]:
        return [member.worker for member in self._members.values()]

    # -- who can run what --------------------------------------------------------------------------------------------

    def can_run(self, run: Candidate, member: Member) -> bool:
        """Whether a worker has what a job needs. A server that refused or lost it gets it again only if there is no
        other."""
        if not self._has_all(run.needs, member):
            return False
        refused_by, lost_on = getattr(run, "refused_by", ()), getattr(run, "lost_on", ())
        if member.name in refused_by:
            return not self._is_elsewhere(run.needs, refused_by)
        return member.name not in lost_on or not self._is_elsewhere(run.needs, {*lost_on, *refused_by})

    def has_others(self, run: Run) -> bool:
        """Whether a worker that did not refuse a job can run it now or soon."""
        return self._is_elsewhere(run.needs, run.refused_by)

    def _is_elsewhere(self, needs: Needs, but: Collection[str]) -> bool:
        others = (one for one in self._members.values() if one.name not in but)
        return any(one.is_up and not one.is_draining and self._has_all(needs, one) for one in others)

    def _has_all(self, needs: Needs, member: Member) -> bool:
        if len(self._members) == 1:  # what its lists do not have was refused when the job was submitted
            return member.worker.documents is not None and not member.lacks_classes(needs)
        if member.worker.documents is None or not member.has_all(needs, self._list_choices):
            return False
        return not needs.embeddings or member.name in self._with_embeddings(needs)

    def _with_embeddings(self, needs: Needs) -> frozenset[str]:
        """Those of the workers that have what a job needs that have its embeddings, too: all where none has them."""
        now = time.monotonic()
        known = self._embeddings.get(needs)
        if known is not None and now < known[1]:
            return known[0]
        able = [one for one in self._members.values() if one.worker.documents is not None]
        able = [one for one in able if one.has_all(needs, self._list_choices)]
        has = {one.name: one.embeddings_of(needs, self._list_choices) for one in able}
        somewhere = frozenset().union(*has.values())
        found = frozenset(name for name, there in has.items() if there == somewhere) or frozenset(has)
        if len(self._embeddings) > 1000:
            self._embeddings.clear()
        self._embeddings[needs] = (found, now + _REMEMBER_S)
        return found

    def is_runnable(self, needs: Needs) -> bool:
        """Whether some worker has, or may turn out to have, what a job needs. An empty pool may get one."""
        members = self._members.values()
        return not members or any(one.worker.documents is None or self._has_all(needs, one) for one in members)

    def knows_all_classes(self, needs: Needs) -> bool:
        """The same, for node classes alone."""
        members = self._members.values()
        return not members or any(one.worker.documents is None or not one.lacks_classes(needs) for one in members)

    def lacking(self, needs: Needs) -> dict[str, dict[str, list[Any]]]:
        """What each worker lacks: name -> `classes`, `choices` (class, input, value).

        Where its versions of classes differ from what is needed, `inputs` (class, input), too.
        """
        return {
            one.name: self._lacking(one, needs) for one in self._members.values() if one.worker.documents is not None
        }

    def _lacking(self, member: Member, needs: Needs) -> dict[str, list[Any]]:
        lacking: dict[str, list[Any]] = {
            "classes": member.lacks_classes(needs)[:50],
            "choices": [list(choice) for choice in member.lacks_choices(needs, self._list_choices)[:50]],
        }
        inputs = [list(pair) for pair in member.lacks_inputs(needs)[:50]]
        return {**lacking, "inputs": inputs} if inputs else lacking

    # -- what runs ---------------------------------------------------------------------------------------------------

    def decide(self, waiting: Iterator[Run], now_s: float) -> Decision[Run, Member]:
        """The next job to start, and where."""
        free = [member for member in self._members.values() if member.is_free]
        if not free:
            return Decision()
        warm: dict[Files, list[Member]] = {}
        if len(free) > 1:
            free.sort(key=lambda member: member.last_used)
            for member in free:
                if member.last_files:
                    warm.setdefault(member.last_files, []).append(member)
        slots = sum(member.capacity for member in self._members.values() if member.is_up and not member.is_draining)
        return choose(waiting, Pool(free, warm, slots, self._running, self._times, self.can_run), now_s)

    def started(self, run: Run, name: str) -> None:
        """A job was given to a worker."""
        member = self._members.get(name)
        if member is None or run.seated_at:
            return
        run.seated_at = name
        self._tick += 1
        self._running[run.needs.files] += 1
        member.started(run.needs, self._tick)
        member.last_files = run.needs.files

    def ended(self, run: Run, outcome: str) -> float:
        """A job has left its worker: in this state, or `lost`, or `refused`.

        Returns for how many seconds workers get no job because of it, at most.
        """
        name, run.seated_at = run.seated_at, ""
        if not name:
            return 0.0
        self._running[run.needs.files] -= 1
        if self._running[run.needs.files] <= 0:
            del self._running[run.needs.files]
        seconds: float | None = None
        if outcome == "succeeded" and run.job.started_ms is not None and run.end is not None:
            seconds = max(0, run.end.time_ms - run.job.started_ms) / 1000
            note_time(self._times, run.needs.kind, seconds)
        member = self._members.get(name)
        if member is not None:
            member.ended[outcome] += 1
            member.leave(run.needs, seconds)
            if outcome == "lost":
                member.forget()
            if outcome == "succeeded":
                member.doubts = 0
        if outcome != "succeeded":
            return 0.0
        return max((one.doubt() for one in self._members.values() if one.name in run.refused_by), default=0.0)
