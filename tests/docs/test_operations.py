"""What docs/operations.md shows is true: signatures are checked as it says, and its metrics are there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from inglenook.dispatch.webhooks import SIGNATURE, signature
from tests.api.live import LiveServer

ROOT = Path(__file__).parents[2] / "docs"
PAGES = [ROOT / "operations.md", ROOT / "zh" / "operations.md"]
BODY = '{"event": "task.succeeded", "名": "值"}\n'.encode()


@pytest.fixture(params=PAGES, ids=["en", "zh"])
def page(request: pytest.FixtureRequest) -> str:
    return request.param.read_text()


def test_the_python_example_checks_signatures(page: str) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    space: dict = {}
    exec(compile(example, "example", "exec"), space)
    is_genuine, now = space["is_genuine"], int(time.time())
    assert is_genuine("hush", signature("hush", now, BODY), BODY)
    assert not is_genuine("other", signature("hush", now, BODY), BODY)
    assert not is_genuine("hush", signature("hush", now, BODY), BODY + b" ")
    assert not is_genuine("hush", signature("hush", now - 3600, BODY), BODY)
    for header in ("", "t=,v1=", "nonsense", f"t={now}"):
        assert not is_genuine("hush", header, BODY)
    assert SIGNATURE in page


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
@pytest.mark.parametrize(("secret", "code"), [("hush", 0), ("other", 1)])
def test_the_shell_example_checks_signatures(page: str, tmp_path: Path, secret: str, code: int) -> None:
    example = next(block for block in re.findall(r"```sh\n(.*?)```", page, re.DOTALL) if "openssl" in block)
    (tmp_path / "body").write_bytes(BODY)
    variables = {**os.environ, "header": signature("hush", 1_700_000_000, BODY), "secret": secret}
    assert subprocess.run(["sh", "-c", example], cwd=tmp_path, env=variables).returncode == code


def test_the_metrics_in_the_table_are_there(live: LiveServer, page: str) -> None:
    told = set(re.findall(r"^# TYPE (\w+)", live.get("/metrics").text, re.MULTILINE))
    table = set(re.findall(r"`(inglenook_\w+)[`{]", page))
    assert table <= told
    assert told - table <= {"inglenook_build_info", "inglenook_uptime_seconds", "inglenook_jobs_stored"}


def test_both_languages_have_the_same_parts() -> None:
    shapes = [re.sub(r"[^#|`\n]+", "", re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)) for page in PAGES]
    assert [shape.count("\n#") for shape in shapes] == [shapes[0].count("\n#")] * 2
    assert [shape.count("|") for shape in shapes] == [shapes[0].count("|")] * 2
