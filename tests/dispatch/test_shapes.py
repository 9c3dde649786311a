"""A class in different versions on different servers: a job goes where what it uses is there."""

import pytest

from inglenook.dispatch.catalog_union import union
from inglenook.dispatch.needs import needs, needs_of
from inglenook.dispatch.pool import Members, difference
from inglenook.engine.catalog import Catalog
from inglenook.engine.graph import Graph
from inglenook.engine.validation import validate
from tests.dispatch.fake_worker import FakeWorker


def version(required=(), optional=(), outputs=1, **more):
    inputs = {"required": {name: ["STRING"] for name in required}, "optional": {name: ["STRING"] for name in optional}}
    return {"input": inputs, "output": ["STRING"] * outputs, **more}


SHOW = {"input": {"required": {"any": ["*"]}}, "output": [], "output_node": True}
VERSIONS = {
    "plain": version(["text"]),
    "asks": version(["text", "q"]),
    "offers": version(["text"], ["extra"]),
    "wide": version(["text"], outputs=3),
}


def who(given, slot=0):
    """The servers that may run a node with these inputs; the slot is read."""
    workers = [FakeWorker(name, {"A": document, "Show": SHOW}) for name, document in VERSIONS.items()]
    catalog = Catalog.from_documents(union([one.documents for one in workers]), lambda source: (), lambda *_: False)
    nodes = {
        "1": {"class_type": "A", "inputs": dict.fromkeys(given, "x")},
        "2": {"class_type": "Show", "inputs": {"any": ["1", slot]}},
    }
    graph = Graph.parse(nodes)
    assert validate(graph, catalog).error is None
    members = Members(workers, lambda source: ())
    asked = needs_of(graph, ["2"], catalog)
    found = {one.name for one in members if one.has_all(asked, lambda source: ())}
    assert members.is_runnable(asked) == bool(found)
    return found


@pytest.mark.parametrize(
    ("given", "slot", "expected"),
    [
        (["text"], 0, {"plain", "offers", "wide"}),
        (["text", "q"], 0, {"asks"}),
        (["text", "extra"], 0, {"offers"}),
        (["text"], 2, {"wide"}),
        (["text", "q"], 1, set()),
        (["text", "nobody has it"], 0, {"plain", "offers", "wide"}),
    ],
)
def test_a_job_goes_where_what_it_uses_is_there_and_nothing_is_missing(given, slot, expected):
    assert who(given, slot) == expected


def test_what_servers_have_alike_is_not_looked_at():
    catalog = Catalog.from_documents({"A": VERSIONS["asks"]}, lambda source: (), lambda *_: False)
    graph = Graph.parse({"1": {"class_type": "A", "inputs": {"text": "x"}}})
    assert needs_of(graph, ["1"], catalog).uses == frozenset()


@pytest.mark.parametrize("odd", [None, [], {"input": 5}, {"input": {"required": {"a": 5}}}])
def test_a_version_that_cannot_be_read_lacks_nothing(odd):
    member = next(iter(Members([FakeWorker("odd", {"A": odd})], lambda source: ())))
    catalog = Catalog.from_documents(
        {"A": {**VERSIONS["asks"], "engine": {"differs": True}}}, lambda source: (), lambda *_: False
    )
    asked = needs_of(Graph.parse({"1": {"class_type": "A", "inputs": {"text": "x"}}}), ["1"], catalog)
    assert asked.uses
    assert member.lacks_inputs(asked) == []


def test_what_servers_lack_and_where_they_differ_is_told():
    members = Members([FakeWorker("one", {"A": VERSIONS["asks"]}), FakeWorker("two", {})], lambda source: ())
    use = ("A", frozenset({"text", "extra"}), 4)
    lacking = members.lacking(needs({"A", "B"}, uses=[use]))
    assert difference("one", lacking["one"]) == "one lacks B and differs in A.extra, A.output 4, A.q"
    assert difference("two", lacking["two"]) == "two lacks A, B"
