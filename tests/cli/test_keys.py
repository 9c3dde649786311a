"""`inglenook keys`, and servers that need them."""

from __future__ import annotations

import json
from pathlib import Path

import httpx

from tests.cli.conftest import Run, RunningServer


def test_a_key_is_shown_once_and_listed_without_itself(run: Run, tmp_path: Path) -> None:
    made = run("keys", "add", "phone", "--scope", "read", "--user", "bob")
    key = made.stdout.strip()
    assert made.returncode == 0
    assert key.startswith("ink_")
    assert "not shown again" in made.stderr
    assert "every caller needs one" in made.stderr
    listed = run("keys", "list")
    assert "phone" in listed.stdout
    assert key not in listed.stdout
    (entry,) = json.loads(run("keys", "list", "--json").stdout)["keys"]
    assert (entry["scope"], entry["user"], entry["last_used"], entry["revoked"]) == ("read", "bob", None, None)
    assert run("keys", "revoke", entry["id"]).stdout.strip() == f"revoked {entry['id']} (phone)"
    assert "revoked" in run("keys", "list").stdout
    assert key not in "".join(path.read_text() for path in tmp_path.rglob("*") if path.is_file())


def test_what_cannot_be_is_said_in_one_line(run: Run) -> None:
    for arguments, said in (
        (("add", "a", "--scope", "all"), "--scope is 'all'"),
        (("revoke", "nobody"), "no live key"),
        (("add", ""), "1 to 100"),
    ):
        result = run("keys", *arguments)
        assert result.returncode == 1
        assert said in result.stderr
        assert len(result.stderr.splitlines()) == 1
    assert "there are no keys" in run("keys", "list").stderr


def test_a_key_given_at_the_start_is_needed_and_shown_nowhere(tmp_path: Path) -> None:
    key = "given-on-the-command-line"
    server = RunningServer(tmp_path, "--port", "0", "--cpu", "--api-key", key, "--log-level", "debug")
    try:
        assert httpx.get(f"{server.url}/queue", timeout=60).status_code == 401
        with httpx.Client(base_url=server.url, headers={"X-API-Key": key}, timeout=60) as http:
            told = [http.get(path).text for path in ("/system_stats", "/keys", "/health", "/queue", "/features")]
    finally:
        code, errors = server.stop()
    assert code == 0
    assert "argv" in told[0]
    assert all(key not in text for text in (*told, server.ready_line, errors))
    assert all(key.encode() not in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_help_shows_no_key(run: Run) -> None:
    for command in ("serve", "run", "keys"):
        result = run(command, "--help", INGLENOOK_API_KEY="a-secret-of-the-environment")
        assert result.returncode == 0
        assert "a-secret" not in result.stdout + result.stderr


def test_a_run_of_its_own_works_where_keys_are_needed(run: Run, workflow: Path) -> None:
    run("keys", "add", "somebody", "--scope", "read")
    result = run("run", str(workflow), "--cpu", INGLENOOK_API_KEY="another-key-of-the-environment")
    assert result.returncode == 0, result.stderr
    assert "output/blue_00001_.png" in result.stdout
