"""The interfaces of the classes that the recorded workflows use, and small workflows in the editor's format."""

import gzip
import json
from pathlib import Path

import pytest

from inglenook.engine.catalog import Catalog
from inglenook.nodes.interfaces import builtin_interfaces

DATA = Path(__file__).parent.parent / "data" / "workflows"


def read_data(name):
    with gzip.open(DATA / name, "rt", encoding="utf-8") as file:
        return json.load(file)


@pytest.fixture(scope="session")
def recorded_catalog():
    return Catalog.from_documents(read_data("catalog.json.gz"), lambda source: (), lambda value, kind: False)


@pytest.fixture(scope="session")
def catalog():
    samplers = {"samplers": ("euler", "euler_ancestral", "heun", "dpmpp_2m", "dpmpp_2m_sde", "ddim", "uni_pc")}
    names = {**samplers, "schedulers": ("normal", "karras", "simple", "sgm_uniform", "ddim_uniform")}
    return Catalog.from_documents(
        builtin_interfaces(), lambda source: names.get(source.key, ("a.safetensors",)), lambda value, kind: True
    )


def node(node_id, kind, values=None, inputs=(), **more):
    """A node of the UI format; inputs: (name, type, link) or (name, type, link, "widget")."""
    entry = {"id": node_id, "type": kind, "mode": 0, "outputs": [{"name": "out", "type": "*", "links": []}], **more}
    entry["inputs"] = [
        {"name": name, "type": type_, "link": link, **({"widget": {"name": name}} if widget else {})}
        for name, type_, link, *widget in inputs
    ]
    if values is not None:
        entry["widgets_values"] = values
    return entry


def picture(node_id=1):
    return node(node_id, "EmptyImage", [64, 48, 1, 7])


def preview(node_id, link):
    return node(node_id, "PreviewImage", inputs=[("images", "IMAGE", link)])


def workflow(*nodes, links=(), **more):
    return {"version": 0.4, "nodes": list(nodes), "links": [list(link) for link in links], **more}
