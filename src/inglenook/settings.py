"""Every setting of a server, in one frozen object that is made once and handed down.

Sources, strongest first: arguments (the command line), `INGLENOOK_*` environment variables, a `.env` file in the
working directory, the defaults below. `docs/settings.md` has a line for each; a test compares the two.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from inglenook.server_address import read_address

PreviewMethod = Literal["none", "auto", "latent2rgb", "taesd"]
CacheMode = Literal["classic", "lru", "ram", "none"]
FrontEnd = Literal["console", "editor", "none"]


def _split(value: Any) -> Any:
    """Read a comma-separated list, as an environment variable has it."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _level(value: Any) -> Any:
    """Read a level as ComfyUI's `--verbose` has it."""
    lowered = value.lower() if isinstance(value, str) else value
    return "error" if lowered == "critical" else lowered


LogLevel = Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_level)]
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
Paths = Annotated[tuple[Path, ...], NoDecode, BeforeValidator(_split)]

SHORTEST_KEY = 8


def _usable(keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    for key in keys:
        text = key.get_secret_value()
        if len(text) < SHORTEST_KEY or not text.isascii() or not text.isprintable() or " " in text:
            raise ValueError(f"a key must have {SHORTEST_KEY} or more ASCII characters without spaces")
    return keys


Secrets = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_split), AfterValidator(_usable)]
"""Keys; shown as asterisks wherever settings are printed or dumped."""


def _readable(addresses: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    for address in addresses:
        read_address(address.get_secret_value())
    return addresses


Addresses = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_split), AfterValidator(_readable)]
"""Addresses of servers, see `server_address`; they may hold keys."""

SERVER_VARIABLES = ("INGLENOOK_COMFYUI_SERVERS", "INGLENOOK_COMFYUI_SERVER", "COMFYUI_COMFYUI_SERVER")
"""Variables that name other servers."""

NOT_FOR_WORKERS = frozenset({"api_key", "comfyui_servers", "database_url", "webhook_url", "webhook_secret"})
"""Settings that a device process has no use for: node packs run in it."""


class Settings(BaseSettings):
    """Settings of one server; folders are absolute after construction."""

    model_config = SettingsConfigDict(
        env_prefix="INGLENOOK_",
        env_file=".env",
        extra="ignore",
        frozen=True,
        env_ignore_empty=True,
        populate_by_name=True,
    )

    host: str = Field("127.0.0.1", description="Addresses to listen on, comma-separated.")
    port: int = Field(8188, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    tls_keyfile: Path | None = Field(None, description="Private key, PEM; with `tls_certfile` the server speaks https.")
    tls_certfile: Path | None = Field(None, description="Certificate of the server and those that vouch for it, PEM.")
    base_directory: Path = Field(
        Path(), description="Folder with models, input, output, temp, user and custom_nodes; a ComfyUI folder works."
    )
    data_dir: Path | None = Field(None, description="Database, logs and catalog; `inglenook` in the user folder.")
    input_directory: Path | None = Field(None, description="Uploaded files; `input` under the base folder.")
    output_directory: Path | None = Field(None, description="Results; `output` under the base folder.")
    temp_directory: Path | None = Field(
        None, description="Previews go to `temp` under this folder, which is emptied at start; under the base folder."
    )
    user_directory: Path | None = Field(None, description="Settings and files of users; `user` under the base folder.")
    flush_outputs: bool = Field(
        True, description="Write results and uploads through to the disk; off, a power cut may lose the last ones."
    )
    extra_model_paths_config: Paths = Field(
        (), description="Files in the form of ComfyUI's `extra_model_paths.yaml`, comma-separated: more model folders."
    )
    database_url: str | None = Field(None, description="SQLAlchemy URL of the job store; SQLite in the data folder.")

    comfyui_servers: Addresses = Field(
        (),
        validation_alias=AliasChoices(*SERVER_VARIABLES),
        description="Other ComfyUI servers that run jobs too, comma-separated: `HOST:PORT` or a URL, `https://KEY@HOST`"
        " with a key. Also read as `COMFYUI_COMFYUI_SERVER`.",
    )
    local: bool = Field(True, description="Run jobs on this machine too; with `--no-local` no PyTorch is needed.")
    remote_slots: int = Field(
        2, ge=1, le=1000, description="Jobs of ours that another server has at a time, waiting ones included."
    )
    remote_hold_s: float = Field(
        30.0, ge=0, description="After a start, how long jobs that other servers had before wait for these alone."
    )

    cpu: bool = Field(False, description="Run models on the CPU even where there is a GPU.")
    cuda_device: str | None = Field(
        None, description="Numbers of the GPUs that may be used, comma-separated; the others are not seen."
    )
    default_device: int | None = Field(
        None, ge=0, description="Number of the GPU that models run on; the others stay visible."
    )
    worker_threads: int | None = Field(None, ge=1, description="CPU threads of the device process; all cores.")
    worker_memory_limit_gb: float | None = Field(
        None, gt=0, description="A device process that grows beyond this is replaced and its job fails."
    )
    model_memory_gb: float | None = Field(
        None, gt=0, description="Memory that loaded models may take; 60 % of what the device has."
    )
    reserve_vram_gb: float | None = Field(
        None, ge=0, description="Memory of the device that other programs need; `model_memory_gb` is taken of the rest."
    )
    cache: CacheMode = Field(
        "classic",
        description="Results of nodes kept for later jobs: `classic` those that the next one can use, `lru` the last"
        " ones, `ram` all until memory gets short, `none`.",
    )
    cache_lru_size: int = Field(100, ge=0, description="Results that `lru` keeps; 0 means `classic`.")
    cache_ram_gb: float = Field(4.0, gt=0, description="Memory that `ram` leaves free.")
    cache_ram_unused_gb: float | None = Field(
        None, gt=0, description="The same for results that the job at hand does not use; as `cache_ram_gb`."
    )
    job_timeout_s: float | None = Field(None, gt=0, description="Longest run of one job; unlimited.")
    interrupt_grace_s: float = Field(
        30.0, ge=0, description="After this time a run that does not obey an interrupt has its process replaced."
    )
    shutdown_grace_s: float = Field(30.0, ge=0, description="How long a running job may take to end at SIGTERM.")

    queue_limit: int = Field(10_000, ge=1, description="Pending jobs; beyond it submissions get 429.")
    queue_limit_mb: float = Field(
        1024.0, gt=0, description="Pending jobs in MB of their JSON; beyond it submissions get 429."
    )
    batch_limit: int = Field(1000, ge=1, description="Tasks of one batch; larger ones are refused.")
    history_limit: int = Field(10_000, ge=0, description="Finished jobs kept.")
    history_days: float | None = Field(None, gt=0, description="Finished jobs older than this are removed.")
    workflow_versions_limit: int = Field(50, ge=1, description="Versions kept of each stored workflow.")
    max_upload_size_mb: float = Field(100.0, gt=0, description="Largest request body, MB.")
    max_connections: int = Field(2000, ge=1, description="Connections at a time; further ones get 503.")
    max_json_depth: int = Field(100, ge=8, description="Deepest nesting of a JSON body.")
    max_nodes: int = Field(20_000, ge=1, description="Nodes of one graph.")
    max_megapixels: float = Field(256.0, gt=0, description="Largest picture that is read, in millions of pixels.")

    enable_assets: bool = Field(True, description="Keep a library of the files in the folders, for `/api/assets`.")
    enable_asset_hashing: bool = Field(
        False, description="Hash every file of that library, models too; uploads are hashed in any case."
    )
    autoscan_assets: bool = Field(True, description="Look through the folders for new files when the server starts.")
    allow_remote_inputs: bool = Field(
        False, description="Fetch images and other files that a parameter names by http address; never private ones."
    )
    default_workflow: Path | None = Field(
        None, description="Workflow file that a plain text as `prompt` is filled into; the demo's."
    )

    webhook_url: str | None = Field(None, description="Is told of every job, as the webhook of a task is of one.")
    webhook_events: Names = Field((), description="What `webhook_url` is told, comma-separated; every end of a job.")
    webhook_secret: SecretStr | None = Field(
        None, description="Signs deliveries to webhooks that have no secret of their own."
    )
    webhook_allow_private: bool = Field(
        False, description="Let webhooks go to private, loopback and link-local addresses."
    )
    webhook_timeout_s: float = Field(10.0, gt=0, le=300, description="How long a webhook may take to answer.")

    disable_all_custom_nodes: bool = Field(False, description="Import no node packs.")
    whitelist_custom_nodes: Names = Field(
        (), description="Packs that are imported although `disable_all_custom_nodes` is set, comma-separated."
    )
    pack_import_timeout_s: float = Field(
        300.0, gt=0, description="A node pack that takes longer to import is left out, the process replaced."
    )

    cors_origin: str | None = Field(None, description="Value of Access-Control-Allow-Origin; no CORS without it.")
    allowed_hosts: Names = Field((), description="Further host names that requests may name, comma-separated.")
    api_key: Secrets = Field(
        (), description="Keys of which every caller must give one, comma-separated; `inglenook keys` makes better ones."
    )
    insecure: bool = Field(False, description="Serve other machines although there is no key.")
    multi_user: bool = Field(False, description="Keep users apart by the header Comfy-User: settings, files, jobs.")
    feature_flags: Names = Field((), description="Further flags that `/features` tells, `key=value` or `key`.")
    compress_responses: bool = Field(False, description="Send JSON and plain text as gzip to clients that accept it.")
    offline: bool = Field(False, description="Have pages load nothing from other servers, and nodes ask no model hub.")
    strict: bool = Field(False, description="Repair nothing in workflows that are submitted.")

    front_end: FrontEnd = Field(
        "console", description="What `/` shows: `console`, `editor` (ComfyUI's, also at `/editor/`) or `none`."
    )
    front_end_root: Path | None = Field(
        None, description="Folder with a built front end, shown at `/` and `/editor/` instead."
    )
    auto_launch: bool = Field(False, description="Open the server's page in a browser once it answers.")

    preview_method: PreviewMethod = Field("auto", description="How previews of latents are made while sampling.")
    preview_size: int = Field(512, ge=16, le=4096, description="Longest side of a preview, pixels.")
    disable_metadata: bool = Field(False, description="Do not write workflows into saved files.")
    log_level: LogLevel = Field("info", description="Least severe log records that are shown and kept.")
    access_log: bool = Field(False, description="Log every request: who asked for what, the answer, how long it took.")
    log_to_stdout: bool = Field(False, description="Show log records on standard output instead of standard error.")

    def __init__(self, **values: Any) -> None:
        super().__init__(**{key: value for key, value in values.items() if value is not None})

    def model_post_init(self, _context: Any) -> None:
        base = self.base_directory.expanduser().absolute()
        user = base / "user" if self.user_directory is None else self.user_directory.expanduser().absolute()
        defaults = {
            "user_directory": user,
            "data_dir": user / "inglenook",
            "input_directory": base / "input",
            "output_directory": base / "output",
            "temp_directory": base,
        }
        object.__setattr__(self, "base_directory", base)
        for name, default in defaults.items():
            given: Path | None = getattr(self, name)
            object.__setattr__(self, name, default if given is None else given.expanduser().absolute())
        # It is emptied: never a folder of the user's own, such as /tmp, nor one that only happens to be named `temp`.
        object.__setattr__(self, "temp_directory", self.temp_folder / "temp")

    @classmethod
    def from_resolved(cls, data: bytes | str) -> Self:
        """Read the JSON of settings that were constructed before: the folders in it stay as they are.

        The usual constructors would take `temp_directory` as a user's folder and put another `temp` under it.
        """
        values = json.loads(data)
        values["temp_directory"] = str(Path(values["temp_directory"]).parent)
        return cls.model_validate_json(json.dumps(values))

    def for_workers(self) -> bytes:
        """The JSON for `from_resolved` in a device process, without what is nobody's business there."""
        return self.model_dump_json(exclude=set(NOT_FOR_WORKERS)).encode()

    @property
    def data_folder(self) -> Path:
        assert self.data_dir is not None
        return self.data_dir

    @property
    def user_folder(self) -> Path:
        assert self.user_directory is not None
        return self.user_directory

    @property
    def input_folder(self) -> Path:
        assert self.input_directory is not None
        return self.input_directory

    @property
    def output_folder(self) -> Path:
        assert self.output_directory is not None
        return self.output_directory

    @property
    def temp_folder(self) -> Path:
        assert self.temp_directory is not None
        return self.temp_directory

    @property
    def max_upload_bytes(self) -> int:
        return round(self.max_upload_size_mb * 1024 * 1024)
