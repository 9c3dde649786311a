"""`inglenook nodes`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import orjson
import typer

from inglenook.engine.schema import ChoiceSource, InputSpec, NodeSchema
from inglenook.errors import WorkflowError
from inglenook.nodes.interfaces import builtin_interfaces

_MOST_CHOICES = 6


def show_nodes(node_class: str | None, *, as_json: bool) -> None:
    """Print all built-in classes or one. Raises WorkflowError for a class that is not built in."""
    documents = builtin_interfaces()
    if node_class is not None and node_class not in documents:
        near = get_close_matches(node_class, documents, n=3)
        hint = f"; did you mean {' or '.join(near)}?" if near else "; `inglenook nodes` lists them"
        raise WorkflowError(f"there is no built-in node class {node_class!r}{hint}")
    if as_json:
        chosen = documents if node_class is None else {node_class: documents[node_class]}
        typer.echo(orjson.dumps(chosen, option=orjson.OPT_INDENT_2))
    elif node_class is None:
        _print_all(documents)
    else:
        _print_one(node_class, documents[node_class])


def _print_all(documents: Mapping[str, Mapping[str, Any]]) -> None:
    by_category: dict[str, list[str]] = defaultdict(list)
    for name, document in documents.items():
        by_category[document.get("category") or "other"].append(name)
    for category in sorted(by_category):
        typer.secho(category, bold=True)
        for name in sorted(by_category[category]):
            typer.echo(f"  {name}")


def _print_one(name: str, document: Mapping[str, Any]) -> None:
    schema = NodeSchema.from_info(name, document)
    typer.secho(name, bold=True, nl=False)
    typer.echo(f"  {document.get('display_name') or ''}  ({document.get('category')})")
    if document.get("description"):
        typer.echo(f"  {document['description']}")
    for spec in schema.inputs.values():
        typer.echo(f"  {spec.name}: {_described(spec)}")
    for output in schema.outputs:
        typer.echo(f"  -> {output.name}: {output.type}")


def _described(spec: InputSpec) -> str:
    options = spec.options
    parts = [] if spec.required else ["optional"]
    parts += [f"{key} {options[key]!r}" for key in ("default", "min", "max") if key in options]
    return ", ".join([_type(spec), *parts])


def _type(spec: InputSpec) -> str:
    match spec.type:
        case ChoiceSource(kind="files", key=folder):
            return f"a file in models/{folder}"
        case ChoiceSource(kind="input", key=kinds):
            return f"a file in the input folder ({kinds})"
        case ChoiceSource(key=name):
            return f"one of the {name}"
        case str(name):
            return name
        case choices:
            shown = [str(choice) for choice in choices[:_MOST_CHOICES]]
            return "one of " + ", ".join(shown) + (", ..." if len(choices) > _MOST_CHOICES else "")
