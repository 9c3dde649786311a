"""What somebody uploads never runs in the server's own origin, by whatever route it is fetched."""

import pytest

from tests.api.access.conftest import GIVEN

pytestmark = pytest.mark.asyncio(loop_scope="module")

SCRIPT = b"<script>document.title = 'taken'</script>"
NAMES = ["a.html", "a.HTM", "a.svg", "a.xhtml", "a.xht", "a.xml", "a.js", "a.mjs", "a.css", "a.mht", "a.xsl", "a.rdf",
         "a.shtml", "a.svgz", "a", "a.unknown", "a.html.", "a.png.html", "a.swf", "a.eml"]  # fmt: skip
RUNS = ("text/html", "text/xml", "application/xml", "application/xhtml+xml", "image/svg+xml", "text/css", "javascript",
        "message/", "multipart/")  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
async def test_an_uploaded_page_is_sent_as_a_download(keyed, name):
    async with keyed.client(GIVEN) as http:
        stored = await http.post("/upload/image", files={"image": (name, SCRIPT, "text/html")})
        assert stored.status_code == 200, stored.text
        name = stored.json()["name"]
        await http.post(f"/userdata/{name}", content=SCRIPT)
        for path in (f"/view?filename={name}&type=input", f"/api/view?filename={name}&type=input", f"/userdata/{name}"):
            for dest in ("document", "iframe", "script", "style", "worker", "object", "empty"):
                answer = await http.get(path, headers={"Sec-Fetch-Dest": dest})
                assert answer.status_code == 200
                assert answer.headers["x-content-type-options"] == "nosniff"
                kind = answer.headers["content-type"]
                assert not any(word in kind for word in RUNS), (path, dest, kind)


async def test_a_drawing_in_a_picture_element_may_be_shown_but_not_run(keyed):
    async with keyed.client(GIVEN) as http:
        await http.post("/upload/image", files={"image": ("drawing.svg", b"<svg/>", "image/svg+xml")})
        answer = await http.get("/view?filename=drawing.svg&type=input", headers={"Sec-Fetch-Dest": "image"})
    assert answer.headers["content-type"] == "image/svg+xml"
    assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none'")


async def test_no_error_repeats_what_was_asked_as_a_page(keyed):
    async with keyed.client(GIVEN) as http:
        for path in ("/<script>", "/view?filename=<script>&type=<script>", "/models/<script>", "/userdata/<script>",
                     "/view_metadata/<script>", "/extensions/<script>/a.js"):  # fmt: skip
            answer = await http.get(path, headers={"Accept": "text/html"})
            assert answer.headers["content-type"].startswith("application/json")
            assert answer.headers["x-content-type-options"] == "nosniff"
