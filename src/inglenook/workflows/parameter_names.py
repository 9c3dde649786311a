"""Names of parameters: short where there is one of a kind, else told apart by title, use or class."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from inglenook.workflows.parameter import ADVANCED, GROUPS
from inglenook.workflows.parameter_nodes import GraphNode

_LONGEST = 48
_LONGEST_READ = 200
_PLAIN_INPUTS = frozenset({"value", "text", "string", "image", "video", "audio", "file", "images", "input", "mask"})
"""Names of inputs that say nothing about them."""
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_MEDIA = frozenset(role for role, group in GROUPS.items() if group == "media")


@dataclass(frozen=True, slots=True)
class Unnamed:
    """A parameter that waits for its name."""

    node: GraphNode
    input_name: str
    role: str
    given: str = ""
    """By a marker of the workflow's author."""
    rank: tuple[int, ...] = ()
    """Smaller ones are named first."""


def slug(text: str) -> str:
    """Words of a text in ASCII, lower case, joined by `_`; empty when it has none."""
    return _slug(text[:_LONGEST_READ])


@lru_cache(maxsize=4096)
def _slug(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    for word in ("KSampler", "LoRA"):
        plain = plain.replace(word, word.capitalize())
    return re.sub(r"[^a-z0-9]+", "_", _CAMEL.sub("_", plain).lower()).strip("_")[:_LONGEST].strip("_")


def name_all(parameters: Sequence[Unnamed]) -> list[str]:
    """One name for each, no two the same."""
    names: dict[int, str] = {}
    taken: set[str] = set()

    def take(index: int, candidates: Iterable[str]) -> None:
        one = parameters[index]
        last = _joined(one.role if one.role != ADVANCED else slug(one.node.class_type), slug(one.node.id) or "node")
        for candidate in (*candidates, last, _joined(last, slug(one.input_name))):
            if candidate and candidate not in taken:
                break
        else:
            number = 2
            while (candidate := f"{last}_{number}") in taken:
                number += 1
        taken.add(candidate)
        names[index] = candidate

    order = sorted(range(len(parameters)), key=lambda index: (parameters[index].rank, index))
    for index in order:
        if parameters[index].given:
            name = parameters[index].given
            take(index, (name, _joined(name, slug(parameters[index].node.id))))
    for role in GROUPS:
        members = [index for index in order if parameters[index].role == role and index not in names]
        if role == ADVANCED:
            for index in members:
                take(index, _advanced_names(parameters[index]))
            continue
        nodes = Counter(parameters[index].node.id for index in members)
        levels = {index: _role_names(parameters[index], nodes) for index in members}
        if len(members) > 1 and role in _MEDIA and _differ([levels[index] for index in members], role):
            for index in members:
                take(index, levels[index])
            continue
        counts = Counter(name for index in members for name in {*levels[index], _with_class(parameters[index])})
        for position, index in enumerate(members):
            plain = (role,) if position == 0 else ()
            others = (*levels[index], _with_class(parameters[index]))
            take(index, (*plain, *(name for name in others if counts[name] == 1)))
    return [names[index] for index in range(len(parameters))]


def _differ(levels: Sequence[Sequence[str]], role: str) -> bool:
    """Whether all have a name of their own, so that none needs to be called after the role alone."""
    first = [level[0] if level else role for level in levels]
    return len({*first, role}) == len(first) + 1


def _role_names(one: Unnamed, nodes: Mapping[str, int]) -> list[str]:
    """Names for one of several of a role that say what it is for, best first. nodes: how many each node has."""
    found = []
    title = _own_words(one.node)
    role = one.role.split("_")
    if title and not set(title.split("_")) <= set(role):
        found.append(title if set(role) <= set(title.split("_")) else _joined(one.role, title))
    if one.role in _MEDIA or one.node.passes_values:
        found += [use for _, name in one.node.consumers if (use := slug(name)) and use not in _PLAIN_INPUTS]
    if nodes[one.node.id] > 1 and slug(one.input_name) != one.role:
        found.append(_joined(one.role, slug(one.input_name)))
    return found


def _with_class(one: Unnamed) -> str:
    return _joined(one.role, slug(one.node.class_type))


def _own_words(node: GraphNode) -> str:
    """What the title of a node says beyond its class, in ASCII words."""
    shown = "" if node.schema is None else slug(str(node.schema.info.get("display_name") or ""))
    title = slug(node.title)
    if not node.has_own_title or title in (shown, slug(node.class_type)):
        return ""
    return title.removeprefix(f"{shown}_").removesuffix(f"_{shown}") if shown else title


def _advanced_names(one: Unnamed) -> list[str]:
    owner, kind = _own_words(one.node), slug(one.node.class_type)
    if not owner or owner[0].isdigit():
        owner = _joined(kind, owner)
    name = slug(one.input_name)
    is_plain = one.input_name in _PLAIN_INPUTS
    first = owner if is_plain else _joined(owner, name)
    node_id = slug(one.node.id)
    return [first, _joined(first, node_id)] if first not in GROUPS else [_joined(first, name), _joined(first, node_id)]


def _joined(*parts: str) -> str:
    return "_".join(part for part in parts if part)
