"""Generates `client/_sync` from `client/_async`; `--check` says whether it is up to date.

The idea is that of encode/httpcore's script of the same name: substitutions by line, then the formatter.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

CLIENT = Path(__file__).parent.parent / "src" / "inglenook" / "client"
SUBSTITUTIONS = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"The asyncio client; `_sync` is generated from it by `(.*?)`", r"Generated from `_async` by `\1`: edit that"),
        (r"await to_thread\((\w+(?:\.\w+)*)\)", r"\1()"),
        (r"from asyncio import sleep\b.*", "from time import sleep"),
        (r"Awaitable\[([^\[\]]*)\]", r"\1"),
        (r"\bAwaitable, ", ""),
        (r"\bAsyncGenerator\[(\w+), None\]", r"Generator[\1, None, None]"),
        (r"\bAsync(Client|JobStream|Socket|Generator|BaseTransport)\b", r"\1"),
        (r"\basync (def|with|for)\b", r"\1"),
        (r"\bawait ", ""),
        (r"\b__a(enter|exit)__\b", r"__\1__"),
        (r"\ba(close|closing|read|iter_bytes)\b", r"\1"),
        (r"\b_async\b", "_sync"),
    )
]


def synchronous(source: str, path: Path) -> str:
    """Return what a file of `_async` is in `_sync`."""
    for pattern, replacement in SUBSTITUTIONS:
        source = pattern.sub(replacement, source)
    for arguments in (["check", "--fix-only", "--quiet", "--select", "I"], ["format", "--quiet"]):
        command = [sys.executable, "-m", "ruff", *arguments, "--stdin-filename", str(path), "-"]
        source = subprocess.run(command, input=source, capture_output=True, text=True, check=True).stdout
    return source


def main() -> int:
    is_check = "--check" in sys.argv[1:]
    outdated = []
    targets = set()
    for file in sorted((CLIENT / "_async").glob("*.py")):
        target = CLIENT / "_sync" / file.name
        targets.add(target)
        wanted = synchronous(file.read_text(), target)
        if target.exists() and target.read_text() == wanted:
            continue
        outdated.append(target)
        if not is_check:
            target.write_text(wanted)
    surplus = sorted(set((CLIENT / "_sync").glob("*.py")) - targets)
    if is_check and (outdated or surplus):
        names = ", ".join(path.name for path in [*outdated, *surplus])
        print(f"client/_sync is not what scripts/unasync.py makes of client/_async ({names}): run it")
        return 1
    for path in surplus:
        path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
