"""Where the command line begins and where its errors end: one line on stderr, exit code 1, no traceback."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from inglenook.errors import InglenookError

_BARE_OPTIONS = {"--listen": "0.0.0.0,::", "--enable-cors-header": "*"}
"""Options that ComfyUI's users also give without a value, and what they mean then."""
_INTERRUPTED = 130


def with_values(arguments: Sequence[str]) -> list[str]:
    """Give options that may stand bare the value that they have then."""
    completed: list[str] = []
    for position, argument in enumerate(arguments):
        following = arguments[position + 1] if position + 1 < len(arguments) else "-"
        is_bare = argument in _BARE_OPTIONS and following.startswith("-")
        completed.append(f"{argument}={_BARE_OPTIONS[argument]}" if is_bare else argument)
    return completed


def main() -> None:
    """Run the command that `sys.argv` names and exit."""
    from inglenook.cli.commands import app

    try:
        app(args=with_values(sys.argv[1:]), prog_name="inglenook")
    except InglenookError as error:
        print(f"inglenook: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
