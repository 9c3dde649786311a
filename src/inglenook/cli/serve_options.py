"""The rarer options of `serve`, each a type with its help; `commands.py` has the others."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from inglenook.cli.comfyui_flags import names

TlsKeyfile = Annotated[Path | None, typer.Option(help="Private key, PEM; with --tls-certfile the server speaks https.")]
TlsCertfile = Annotated[Path | None, typer.Option(help="Certificate, PEM.")]
MultiUser = Annotated[
    bool | None, typer.Option("--multi-user", help="Keep settings and files of several users apart, by Comfy-User.")
]
FeatureFlags = Annotated[
    list[str] | None,
    typer.Option("--feature-flag", metavar="KEY[=VALUE]", help="Flag that /features tells; may be given again."),
]
CompressResponses = Annotated[
    bool | None,
    typer.Option("--enable-compress-response-body", help="Send JSON and text as gzip to clients that accept it."),
]
Offline = Annotated[
    bool | None,
    typer.Option("--offline", help="Have pages load nothing from other servers, and nodes ask no model hub."),
]
FrontEnd = Annotated[
    str | None, typer.Option(help="What / shows: console, editor (also at /editor/) or none [default: console].")
]
FrontEndRoot = Annotated[
    Path | None, typer.Option(help="Folder with a built front end, shown at / and /editor/ instead.")
]
AutoLaunch = Annotated[
    bool | None,
    typer.Option("--auto-launch/--disable-auto-launch", help="Open the page in a browser once the server answers."),
]
WindowsStandaloneBuild = Annotated[bool, typer.Option("--windows-standalone-build", hidden=True)]
UserDirectory = Annotated[Path | None, typer.Option(help="Settings and files of users [default: user].")]
DatabaseUrl = Annotated[
    str | None,
    typer.Option(
        help="SQLAlchemy URL of the job store. One of SQLite is ComfyUI's own database and is ignored: give that as"
        " INGLENOOK_DATABASE_URL."
    ),
]
CudaDevice = Annotated[
    str | None, typer.Option(metavar="NUMBERS", help="GPUs that may be used, comma-separated; others are not seen.")
]
DefaultDevice = Annotated[
    int | None, typer.Option(metavar="NUMBER", help="GPU that models run on; the others stay visible.")
]
ReserveVram = Annotated[float | None, typer.Option(metavar="GB", help="Device memory that other programs need.")]
EnableAssets = Annotated[
    bool | None,
    typer.Option(
        "--enable-assets/--disable-assets", help="Keep a library of the files, for /api/assets [default: on]."
    ),
]
EnableAssetHashing = Annotated[
    bool | None, typer.Option("--enable-asset-hashing", help="Hash the files that a scan of the folders finds.")
]
AssetsAutoscan = Annotated[
    bool | None,
    typer.Option("--assets-autoscan/--disable-assets-autoscan", help="Look for new files at the start [default: on]."),
]
Strict = Annotated[bool | None, typer.Option("--strict", help="Repair nothing in workflows that are submitted.")]
LogStdout = Annotated[
    bool | None, typer.Option("--log-stdout", help="Show log records on standard output, not standard error.")
]
QuickTest = Annotated[
    bool, typer.Option("--quick-test-for-ci", help="Stop as soon as everything has started, packs too.")
]

ComfyuiServer = Annotated[
    list[str] | None,
    typer.Option(metavar="HOST:PORT|URL", help="Another ComfyUI server that runs jobs too; may be given again."),
]
Local = Annotated[bool | None, typer.Option("--local/--no-local", help="Run jobs on this machine too [default: on].")]
RemoteSlots = Annotated[int | None, typer.Option(help="Jobs of ours that another server has at a time [default: 2].")]

ListFeatureFlags = Annotated[bool, typer.Option("--list-feature-flags", hidden=True)]
"""ComfyUI names those flags that it knows itself; here there are none: `--feature-flag` takes any."""
IgnoredFlags = Annotated[bool, typer.Option(*names("none"), hidden=True)]
IgnoredValues = Annotated[list[str] | None, typer.Option(*names("one", "some"), hidden=True)]


def is_sqlite(url: str | None) -> bool:
    """Whether an URL can only be meant for ComfyUI's own database of assets, which is no job store.

    Ours would put its tables among those, and one in memory would lose the queue.
    """
    return url is not None and url.strip().lower().startswith("sqlite")
