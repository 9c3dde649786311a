"""`/api/webhooks/deliveries`, and webhooks of real jobs."""

import json

import pytest

from inglenook.api.errors import ApiError
from inglenook.api.gateway.webhooks import webhook_of
from inglenook.jobs import Job, JobId, JobResult, State, Webhook
from tests.api.idle import idle_server, idle_services
from tests.api.live import LiveServer, blocking_graph, picture_graph
from tests.dispatch.receiver import receiver


async def end_job(store, job_id, *hooks, user=None):
    job = Job(JobId(job_id), 1, b"{}", ("1",), job_id, 1, user=user)
    await store.add(job, hooks)
    await store.claim(job.id, "cpu", 1)
    await store.finish(job.id, 1, JobResult(State.succeeded, 5))


async def test_deliveries_are_listed_filtered_and_sent_again(idle):
    hook = Webhook("https://203.0.113.1/x", secret="hush")
    for job_id in "ab":
        await end_job(idle.store, job_id, hook)
    listed = (await idle.http.get("/api/webhooks/deliveries")).json()
    assert [entry["task_id"] for entry in listed["deliveries"]] == ["b", "a"]
    assert (listed["total"], listed["page"]) == (2, 1)
    assert "hush" not in json.dumps(listed)
    second = (await idle.http.get("/api/webhooks/deliveries?limit=1&page=2")).json()
    assert [entry["task_id"] for entry in second["deliveries"]] == ["a"]
    (entry,) = (await idle.http.get("/api/webhooks/deliveries?task_id=a&event=task.succeeded")).json()["deliveries"]
    assert entry["url"] == hook.url
    assert (await idle.http.get("/api/webhooks/deliveries?state=delivered")).json()["total"] == 0
    again = await idle.http.post(f"/api/webhooks/deliveries/{entry['id']}/redeliver")
    assert again.status_code == 202
    assert again.json()["state"] == "pending"
    assert (await idle.http.get(f"/api/webhooks/deliveries/{entry['id']}")).json()["id"] == entry["id"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/webhooks/deliveries?page=0", 422),
        ("/api/webhooks/deliveries?limit=x", 422),
        ("/api/webhooks/deliveries?state=lost", 422),
        ("/api/webhooks/deliveries?task_id=%00", 422),
        ("/api/webhooks/deliveries?page=99999999999999999999999", 422),
        ("/api/webhooks/deliveries/unknown", 404),
        ("/api/webhooks/deliveries/%00", 422),
        ("/api/webhooks/deliveries/..%2f..", 404),
        ("/webhooks/deliveries", 404),
    ],
)
async def test_what_is_not_there_is_an_error_in_json(idle, path, status):
    reply = await idle.http.get(path)
    assert reply.status_code == status, reply.text
    assert set(reply.json()["error"]) == {"type", "message", "details"}


@pytest.mark.parametrize(
    "given",
    [
        None, 5, [], {}, {"url": 5}, "no url", "http://127.0.0.1/", {"url": "https://example.org/", "events": []},
        {"url": "https://example.org/", "events": ["task.lost"]}, {"url": "https://example.org/", "events": [{}]},
        {"url": "https://example.org/", "secret": ""}, {"url": "https://example.org/", "secret": "a\nb"},
        {"url": "https://example.org/", "header": "x"}, {"url": "https://example.org/", "secret": "\ud800"},
    ],
)  # fmt: skip
async def test_a_webhook_that_cannot_be_used_is_refused(tmp_path, given):
    async with idle_services(tmp_path) as services:
        with pytest.raises(ApiError) as caught:
            webhook_of(services, given)
    assert caught.value.status == 422


async def test_a_webhook_is_a_url_or_an_object(tmp_path):
    async with idle_services(tmp_path) as services:
        assert webhook_of(services, "https://example.org/") == Webhook("https://example.org/")
        given = {"url": "https://example.org/", "events": ["task.started"], "secret": "x"}
        assert webhook_of(services, given) == Webhook("https://example.org/", ("task.started",), "x")


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    with receiver() as one:
        settings = {"webhook_url": one.url, "webhook_secret": "shared", "webhook_allow_private": True,
                    "webhook_events": "task.started,task.succeeded,task.failed,task.cancelled"}  # fmt: skip
        server = LiveServer(tmp_path_factory.mktemp("told"), **settings).start()
        yield server, one
        server.stop()


def test_the_webhook_of_the_settings_hears_of_each_job(told):
    server, one = told
    before = len(one.requests)
    job_id = server.submit(picture_graph(5, sink="SaveImage", filename_prefix="told"))
    bodies = [json.loads(body) for _, _, body in one.until(before + 2)[before:]]
    assert {(body["event"], body["task_id"]) for body in bodies} == {
        ("task.started", job_id),
        ("task.succeeded", job_id),
    }
    (ended,) = (body for body in bodies if body["event"] == "task.succeeded")
    (output,) = (file for file in ended["outputs"] if file["kind"] == "images")
    assert server.get(output["url"]).headers["content-type"] == "image/png"


def test_a_job_that_is_interrupted_is_told(told):
    server, one = told
    before = len(one.requests)
    job_id = server.submit(blocking_graph(77))
    one.until(before + 1)
    server.post("/interrupt", {"prompt_id": job_id})
    events = [json.loads(body)["event"] for _, _, body in one.until(before + 2)[before:]]
    assert events == ["task.started", "task.cancelled"]


def test_a_receiver_that_hangs_delays_no_job(told):
    server, one = told
    one.released.clear()
    try:
        for color in range(8):
            server.run(picture_graph(color))
    finally:
        one.released.set()


async def test_users_see_deliveries_of_their_own_jobs(tmp_path):
    async with idle_server(tmp_path, multi_user=True) as idle:
        reply = await idle.http.post("/users", json={"username": "Ann"})
        user = reply.json()
        await end_job(idle.store, "hers", Webhook("https://203.0.113.1/"), user=user)
        await end_job(idle.store, "other", Webhook("https://203.0.113.1/"), user="default")
        headers = {"Comfy-User": user}
        listed = (await idle.http.get("/api/webhooks/deliveries", headers=headers)).json()
        assert [entry["task_id"] for entry in listed["deliveries"]] == ["hers"]
        (other,) = (await idle.http.get("/api/webhooks/deliveries")).json()["deliveries"]
        assert (await idle.http.get(f"/api/webhooks/deliveries/{other['id']}", headers=headers)).status_code == 404
