"""`GET /api/nodes`."""

import pytest


async def test_all_node_classes_are_listed_by_name(idle):
    listed = (await idle.http.get("/api/nodes")).json()
    names = [node["class_type"] for node in listed["nodes"]]
    assert listed["total"] == len(names) > 50
    assert names == sorted(names, key=str.lower)
    (sampler,) = (node for node in listed["nodes"] if node["class_type"] == "KSampler")
    assert sampler["inputs"][:2] == ["model", "seed"]
    assert sampler["outputs"] == ["LATENT"]
    assert sampler["info"] is None
    assert sum(listed["categories"].values()) == listed["total"]


async def test_classes_are_searched_by_all_words(idle):
    listed = (await idle.http.get("/api/nodes?search=SAVE+image&details=true")).json()
    names = [node["class_type"] for node in listed["nodes"]]
    assert "SaveImage" in names
    assert "KSampler" not in names
    (save,) = (node for node in listed["nodes"] if node["class_type"] == "SaveImage")
    assert save["info"]["input"]["required"]["images"][0] == "IMAGE"


async def test_a_category_has_those_below_it(idle):
    listed = (await idle.http.get("/api/nodes?category=sampling")).json()
    found = {node["category"] for node in listed["nodes"]}
    assert found
    assert all(category == "sampling" or category.startswith("sampling/") for category in found)
    assert (await idle.http.get("/api/nodes?category=samp")).json()["total"] == 0


async def test_pages_follow_each_other(idle):
    first = (await idle.http.get("/api/nodes?limit=10")).json()
    second = (await idle.http.get("/api/nodes?limit=10&page=2")).json()
    assert len(first["nodes"]) == len(second["nodes"]) == 10
    assert first["nodes"][-1]["class_type"].lower() < second["nodes"][0]["class_type"].lower()
    assert (await idle.http.get("/api/nodes?limit=10&page=1000000")).json()["nodes"] == []


@pytest.mark.parametrize("query", ["page=0", "page=x", "limit=0", "limit=99999", "details=maybe", "page=NaN"])
async def test_a_page_that_cannot_be_is_refused(idle, query):
    reply = await idle.http.get(f"/api/nodes?{query}")
    assert reply.status_code == 422
    assert set(reply.json()["error"]) == {"type", "message", "details"}
