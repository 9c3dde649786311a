"""Where the browser for these tests is looked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.editor.chromium import chromium


def test_the_one_that_is_named_is_taken_before_those_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("google-chrome", "chromium-browser"):
        (tmp_path / name).write_text("")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("INGLENOOK_CHROMIUM", raising=False)
    assert chromium() == str(tmp_path / "chromium-browser")
    monkeypatch.setenv("INGLENOOK_CHROMIUM", "/opt/mine")
    assert chromium() == "/opt/mine"
    monkeypatch.delenv("INGLENOOK_CHROMIUM")
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert chromium() is None
