"""Where the command line begins and where its errors end: one line on stderr, exit code 1, no traceback."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import takewhile

from inglenook.cli.comfyui_flags import names
from inglenook.errors import InglenookError

_BARE_OPTIONS = {
    "--listen": "0.0.0.0,::",
    "--enable-cors-header": "*",
    "--cache-ram": "4",
    "--verbose": "debug",
    **dict.fromkeys(names("some"), ""),
}
"""Options that ComfyUI's users also give without a value, and what they mean then."""
_LIST_OPTIONS = {
    "--whitelist-custom-nodes",
    "--cache-ram",
    *names("some"),
}
"""Options that ComfyUI's users give several values at once: they become one, with commas."""
_REPEATED_OPTIONS = {"--extra-model-paths-config"}
"""The same, where each value becomes an option of its own."""
_OWN_OPTIONS = {"--version", "--help"}
"""Options of `inglenook` itself, without a command."""
_INTERRUPTED = 130


def with_command(arguments: Sequence[str]) -> list[str]:
    """Put `serve` before options that stand alone, as ComfyUI's start scripts give them."""
    is_option = bool(arguments) and arguments[0].startswith("--") and arguments[0] not in _OWN_OPTIONS
    return ["serve", *arguments] if is_option else list(arguments)


def with_values(arguments: Sequence[str]) -> list[str]:
    """Give options that may stand bare the value that they have then, and join several values of one option."""
    completed: list[str] = []
    position = 0
    while position < len(arguments):
        argument = arguments[position]
        position += 1
        values = list(takewhile(lambda value: not value.startswith("-"), arguments[position:]))
        if argument in _BARE_OPTIONS and not values:
            completed.append(f"{argument}={_BARE_OPTIONS[argument]}")
        elif argument in _LIST_OPTIONS and values:
            completed.append(f"{argument}={','.join(values)}")
            position += len(values)
        elif argument in _REPEATED_OPTIONS and values:
            completed += [f"{argument}={value}" for value in values]
            position += len(values)
        else:
            completed.append(argument)
    return completed


def main() -> None:
    """Run the command that `sys.argv` names and exit."""
    from inglenook.cli.commands import app

    try:
        app(args=with_values(with_command(sys.argv[1:])), prog_name="inglenook")
    except InglenookError as error:
        print(f"inglenook: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
