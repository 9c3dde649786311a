"""Names of samplers and schedulers as other programs write them: "Euler a", "DPM++ 2M Karras", "UniPC"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

_SAMPLERS = {
    "eulera": "euler_ancestral",
    "dpm2a": "dpm_2_ancestral",
    "dpmpp2sa": "dpmpp_2s_ancestral",
}
"""Names that differ in more than case, spaces and signs, folded (see `_fold`)."""
_SCHEDULERS = {"uniform": "normal", "ddim": "ddim_uniform", "sgm": "sgm_uniform"}
_AUTOMATIC = "automatic"
"""The program chooses by the sampler: karras for the DPM++ family, else its uniform one."""
_LONGEST = 60


def is_sampler_list(choices: Sequence[object]) -> bool:
    return "euler" in choices and "heun" in choices


def is_scheduler_list(choices: Sequence[object]) -> bool:
    return "karras" in choices and "normal" in choices


def sampler_of(name: str, choices: Sequence[str], schedulers: Sequence[str]) -> tuple[str, str | None] | None:
    """The sampler that a foreign name means and, where the name says it too, the scheduler; None when neither is known.

    choices, schedulers: the names to choose from.
    """
    folded = _fold(name)
    if folded is None:
        return None
    known = _folded(tuple(choices))
    sampler = _named(folded, known, _SAMPLERS)
    if sampler is not None:
        return sampler, None
    scheduler_names = _folded(tuple(schedulers))
    for length in range(len(folded) - 1, 2, -1):  # the shortest word at the end that leaves a sampler
        scheduler = _named(folded[length:], scheduler_names, _SCHEDULERS)
        sampler = _named(folded[:length], known, _SAMPLERS) if scheduler is not None else None
        if sampler is not None:
            return sampler, scheduler
    return None


def scheduler_of(name: str, choices: Sequence[str], sampler: object) -> str | None:
    """The scheduler that a foreign name means; sampler: the one that it is used with."""
    folded = _fold(name)
    if folded == _AUTOMATIC:
        wanted = "karras" if str(sampler).startswith("dpmpp") else "normal"
        return wanted if wanted in choices else None
    return None if folded is None else _named(folded, _folded(tuple(choices)), _SCHEDULERS)


@lru_cache(maxsize=64)
def _folded(choices: tuple[str, ...]) -> dict[str | None, str]:
    """Choices by their folded name, the first of each."""
    return {_fold(choice): choice for choice in reversed(choices)}


def _named(folded: str, known: dict[str | None, str], aliases: dict[str, str]) -> str | None:
    if folded in known:
        return known[folded]
    alias = aliases.get(folded)
    return alias if alias in known.values() else None


def _fold(name: object) -> str | None:
    """A name without case, spaces and signs; None for what is no name."""
    if not isinstance(name, str) or len(name) > _LONGEST:
        return None
    return re.sub(r"[^a-z0-9]", "", name.lower().removeprefix("k_").replace("++", "pp")) or None
