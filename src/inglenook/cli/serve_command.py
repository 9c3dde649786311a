"""How `serve` looks on the command line: its help in sections, and ComfyUI's options that it takes and ignores."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperCommand

from inglenook.cli.comfyui_flags import IGNORED

_GIVEN = "inglenook.ignored"

_SECTIONS: dict[str, str] = {
    "Where it listens, who may call": "--host --port --tls-keyfile --tls-certfile --api-key --insecure --allowed-host"
    " --enable-cors-header --multi-user --feature-flag --max-upload-size --enable-compress-response-body --offline",
    "What a browser sees": "--front-end --front-end-root --auto-launch",
    "Folders": "--base-directory --data-dir --input-directory --output-directory --temp-directory --user-directory"
    " --extra-model-paths-config --database-url",
    "Other servers": "--comfyui-server --local --remote-slots",
    "Devices and memory": "--cpu --cuda-device --default-device --reserve-vram --worker-memory-limit",
    "Jobs": "--default-timeout --strict --cache-classic --cache-lru --cache-none --cache-ram",
    "Node packs": "--disable-all-custom-nodes --whitelist-custom-nodes",
    "Previews, files, logs": "--preview-method --preview-size --disable-metadata --enable-assets --enable-asset-hashing"
    " --assets-autoscan --log-level --log-stdout",
}
"""Title -> options in the order in which they are shown. Those that are not named come last."""
_OTHERS = "Others"
_NOTE = "Options of ComfyUI that mean nothing here are taken too; a warning names them."


class ServeCommand(TyperCommand):
    """`serve`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Note which options of ComfyUI are given that mean nothing here."""
        ctx.meta[_GIVEN] = [name for name in (argument.partition("=")[0] for argument in args) if name in IGNORED]
        return super().parse_args(ctx, args)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the options by section."""
        rows: dict[str, tuple[str, str]] = {}
        for parameter in self.get_params(ctx):
            row = parameter.get_help_record(ctx)
            if row is not None:
                rows[parameter.opts[0]] = row
        for title, names in _SECTIONS.items():
            self._write(formatter, title, [rows.pop(name) for name in names.split() if name in rows])
        self._write(formatter, _OTHERS, list(rows.values()))
        formatter.write_paragraph()
        formatter.write_text(_NOTE)

    @staticmethod
    def _write(formatter: Any, title: str, rows: list[tuple[str, str]]) -> None:
        if rows:
            with formatter.section(title):
                formatter.write_dl(rows)


def ignored_options(context: typer.Context) -> list[str]:
    """The options of ComfyUI that were given and change nothing, as they were written."""
    return list(context.meta[_GIVEN])
