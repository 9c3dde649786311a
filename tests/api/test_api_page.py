"""`/docs` works on a machine that reaches no other host."""

import re


async def test_the_page_loads_nothing_from_elsewhere(idle):
    page = await idle.http.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    addresses = re.findall(r"""(?:src|href)=["']([^"']+)["']|url: ['"]([^'"]+)""", page.text)
    files = {one or other for one, other in addresses}
    assert {"openapi.json", "swagger/swagger-ui-bundle.js", "swagger/swagger-ui.css"} <= files
    for file in files:
        assert (await idle.http.get(f"/{file}")).status_code == 200, file


async def test_other_files_of_the_package_are_not_served(idle):
    for name in ("main.py", "..%2fmain.py", "__init__.py"):
        assert (await idle.http.get(f"/swagger/{name}")).status_code == 404
