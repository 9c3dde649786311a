"""The picture of a stored workflow: the first one of its last run that made some."""

from __future__ import annotations

import io

from PIL import Image

from inglenook.jobs import JobResult, State
from tests.api.gateway.test_workflow_library import PICTURE, store


async def ran(idle, job_id, outputs):
    """Let a workflow have been run, with these outputs."""
    await idle.http.post("/prompt", json={"prompt": PICTURE, "prompt_id": job_id})
    await idle.store.claim(job_id, "worker", 1)
    await idle.store.finish(job_id, 1, JobResult(State.succeeded, 5, outputs))
    listed = await idle.services.library.find("default", "a.json")
    await idle.services.library.note_run(listed, job_id)
    await idle.store.write(lambda connection: None)  # writes keep their order: it is noted now


def picture(idle, name, colour):
    folder = idle.services.folders.output
    folder.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (640, 320), colour).save(folder / name)
    return {"images": [{"filename": name, "subfolder": "", "type": "output"}]}


async def thumbnail(idle, **headers):
    return await idle.http.get("/api/workflow/a.json/thumbnail", headers=headers)


def colour_of(reply):
    assert reply.status_code == 200, reply.text
    image = Image.open(io.BytesIO(reply.content))
    assert (image.format, image.size) == ("WEBP", (320, 160))
    return "red" if image.convert("RGB").getpixel((9, 9))[0] > 128 else "blue"


async def test_a_workflow_that_never_ran_has_none(idle):
    await store(idle)
    assert (await thumbnail(idle)).json()["error"]["type"] == "no_thumbnail"
    assert (await idle.http.get("/api/workflow/nothing.json/thumbnail")).status_code == 404
    assert (await idle.http.get("/api/workflow/invert.json/thumbnail")).status_code == 404


async def test_it_shows_the_last_run_and_stays_when_the_file_is_gone(idle):
    await store(idle)
    await ran(idle, "one", {"9": picture(idle, "one.png", "red")})
    first = await thumbnail(idle)
    assert colour_of(first) == "red"
    assert (await thumbnail(idle, **{"If-None-Match": first.headers["etag"]})).status_code == 304
    await ran(idle, "two", {"9": picture(idle, "two.png", "blue")})
    assert colour_of(await thumbnail(idle, **{"If-None-Match": first.headers["etag"]})) == "blue"
    (idle.services.folders.output / "two.png").unlink()
    assert colour_of(await thumbnail(idle)) == "blue"
    listed = (await idle.http.get("/api/workflows?search=a.json")).json()["workflows"]
    assert listed[0]["thumbnail_url"] == "/api/workflow/a.json/thumbnail"


async def test_runs_without_a_readable_picture_are_passed_over(idle):
    await store(idle)
    await ran(idle, "good", {"9": picture(idle, "good.png", "red")})
    (idle.services.folders.output / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    bad = {"filename": "bad.png", "subfolder": "", "type": "output"}
    out = {"filename": "x.png", "subfolder": "../..", "type": "output"}
    strange = {"images": [bad, out, {"filename": 5}, {"filename": "y.png", "type": "models"}], "text": ["a"], "n": 5}
    await ran(idle, "bad", {"9": strange})
    assert colour_of(await thumbnail(idle)) == "red"
