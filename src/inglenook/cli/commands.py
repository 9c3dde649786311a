"""The commands and their options; what they do is in the modules beside, imported when a command is called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from inglenook import __version__
from inglenook.cli import serve_options
from inglenook.cli.serve_command import ServeCommand, ignored_options

app = typer.Typer(
    help="Runs ComfyUI workflows and speaks the ComfyUI API.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # it would read [default: ...] as markup and leave it out
    context_settings={"help_option_names": ["-h", "--help"]},
)

BaseDirectory = Annotated[
    Path | None,
    typer.Option(help="Folder with models, input, output, temp, user and custom_nodes; a ComfyUI folder works."),
]
Cpu = Annotated[bool | None, typer.Option("--cpu", help="Run models on the CPU even where there is a GPU.")]


def _show_version(is_wanted: bool) -> None:
    if is_wanted:
        typer.echo(f"inglenook {__version__}")
        raise typer.Exit


@app.callback()
def inglenook(
    _version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    pass


@app.command(cls=ServeCommand)
def serve(
    context: typer.Context,
    host: Annotated[
        str | None,
        typer.Option(
            "--host",
            "--listen",
            help="Addresses to listen on, comma-separated [default: 127.0.0.1]; bare --listen: every address.",
        ),
    ] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on [default: 8188]; 0 takes a free one.")] = None,
    tls_keyfile: serve_options.TlsKeyfile = None,
    tls_certfile: serve_options.TlsCertfile = None,
    base_directory: BaseDirectory = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Database, logs and catalog [default: user/inglenook under the base].")
    ] = None,
    input_directory: Annotated[Path | None, typer.Option(help="Uploaded files [default: input].")] = None,
    output_directory: Annotated[Path | None, typer.Option(help="Results [default: output].")] = None,
    temp_directory: Annotated[Path | None, typer.Option(help="Previews; emptied at the start [default: temp].")] = None,
    user_directory: serve_options.UserDirectory = None,
    extra_model_paths_config: Annotated[
        list[Path] | None,
        typer.Option(help="File in the form of ComfyUI's extra_model_paths.yaml; may be given again."),
    ] = None,
    database_url: serve_options.DatabaseUrl = None,
    comfyui_server: serve_options.ComfyuiServer = None,
    local: serve_options.Local = None,
    remote_slots: serve_options.RemoteSlots = None,
    cpu: Cpu = None,
    cuda_device: serve_options.CudaDevice = None,
    default_device: serve_options.DefaultDevice = None,
    reserve_vram: serve_options.ReserveVram = None,
    enable_cors_header: Annotated[
        str | None,
        typer.Option(metavar="ORIGIN", help="Let pages of this origin call the API; bare: of every origin."),
    ] = None,
    multi_user: serve_options.MultiUser = None,
    feature_flag: serve_options.FeatureFlags = None,
    enable_compress_response_body: serve_options.CompressResponses = None,
    offline: serve_options.Offline = None,
    front_end: serve_options.FrontEnd = None,
    front_end_root: serve_options.FrontEndRoot = None,
    auto_launch: serve_options.AutoLaunch = None,
    windows_standalone_build: serve_options.WindowsStandaloneBuild = False,
    max_upload_size: Annotated[float | None, typer.Option(help="Largest request body, MB [default: 100].")] = None,
    preview_method: Annotated[
        str | None, typer.Option(help="How previews are made: none, auto, latent2rgb or taesd [default: auto].")
    ] = None,
    preview_size: Annotated[int | None, typer.Option(help="Longest side of a preview, pixels [default: 512].")] = None,
    default_timeout: Annotated[
        float | None,
        typer.Option(
            "--default-timeout", "--job-timeout", help="Longest run of one job, seconds [default: unlimited]."
        ),
    ] = None,
    worker_memory_limit: Annotated[
        float | None, typer.Option(help="GB beyond which a device process is replaced [default: unlimited].")
    ] = None,
    enable_assets: serve_options.EnableAssets = None,
    enable_asset_hashing: serve_options.EnableAssetHashing = None,
    assets_autoscan: serve_options.AssetsAutoscan = None,
    strict: serve_options.Strict = None,
    disable_metadata: Annotated[
        bool | None, typer.Option("--disable-metadata", help="Do not write workflows into saved files.")
    ] = None,
    cache_classic: Annotated[
        bool, typer.Option("--cache-classic", help="Keep the results that the next job can use [default].")
    ] = False,
    cache_lru: Annotated[
        int | None, typer.Option(min=0, help="Keep this many results over several jobs; 0: as --cache-classic.")
    ] = None,
    cache_none: Annotated[bool, typer.Option("--cache-none", help="Keep no results.")] = False,
    cache_ram: Annotated[
        str | None,
        typer.Option(
            metavar="[GB [GB]]",
            help="Keep all results while this much memory is free [4]; second: for results that the job at hand does"
            " not use [the same].",
        ),
    ] = None,
    disable_all_custom_nodes: Annotated[
        bool | None, typer.Option("--disable-all-custom-nodes", help="Import no node packs.")
    ] = None,
    whitelist_custom_nodes: Annotated[
        str | None, typer.Option(metavar="PACK...", help="Node packs to import although all are disabled.")
    ] = None,
    api_key: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY",
            help="Key that every caller must give; may be given again. Other users of this machine see options:"
            " INGLENOOK_API_KEY and `inglenook keys add` are better.",
        ),
    ] = None,
    insecure: Annotated[
        bool | None, typer.Option("--insecure", help="Serve other machines although there is no key.")
    ] = None,
    allowed_host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Further host name of this server; may be given again."),
    ] = None,
    log_level: Annotated[
        str | None,
        typer.Option(
            "--log-level", "--verbose", help="debug, info, warning or error [default: info]; bare --verbose: debug."
        ),
    ] = None,
    log_stdout: serve_options.LogStdout = None,
    quick_test_for_ci: serve_options.QuickTest = False,
    list_feature_flags: serve_options.ListFeatureFlags = False,
    _flags: serve_options.IgnoredFlags = False,
    _values: serve_options.IgnoredValues = None,
) -> None:
    """Serve the ComfyUI API until Ctrl-C.

    Every option is also an environment variable or a line in .env, and there are more of these than options:
    INGLENOOK_PORT=9000. See docs/settings.md.
    """
    from inglenook.cli.options import cache_settings
    from inglenook.cli.serving import run_server

    if list_feature_flags:
        typer.echo("{}")
        return
    ignored = ignored_options(context)
    if serve_options.is_sqlite(database_url):
        ignored.append("--database-url")
        database_url = None
    run_server(
        {
            "host": host,
            "port": port,
            "tls_keyfile": tls_keyfile,
            "tls_certfile": tls_certfile,
            "base_directory": base_directory,
            "data_dir": data_dir,
            "input_directory": input_directory,
            "output_directory": output_directory,
            "temp_directory": temp_directory,
            "user_directory": user_directory,
            "extra_model_paths_config": extra_model_paths_config or None,
            "database_url": database_url,
            "comfyui_servers": comfyui_server or None,
            "local": local,
            "remote_slots": remote_slots,
            "cpu": cpu,
            "cuda_device": cuda_device,
            "default_device": default_device,
            "reserve_vram_gb": reserve_vram,
            "cors_origin": enable_cors_header,
            "multi_user": multi_user,
            "feature_flags": feature_flag or None,
            "compress_responses": enable_compress_response_body,
            "offline": offline,
            "front_end": front_end,
            "front_end_root": front_end_root,
            "auto_launch": True if auto_launch is None and windows_standalone_build else auto_launch,
            "max_upload_size_mb": max_upload_size,
            "preview_method": preview_method,
            "preview_size": preview_size,
            "job_timeout_s": default_timeout,
            "worker_memory_limit_gb": worker_memory_limit,
            "enable_assets": enable_assets,
            "enable_asset_hashing": enable_asset_hashing,
            "autoscan_assets": assets_autoscan,
            "strict": strict,
            "disable_metadata": disable_metadata,
            **cache_settings(classic=cache_classic, lru=cache_lru, none=cache_none, ram=cache_ram),
            "disable_all_custom_nodes": disable_all_custom_nodes,
            "whitelist_custom_nodes": whitelist_custom_nodes,
            "log_level": log_level,
            "api_key": ",".join(api_key) if api_key else None,
            "insecure": insecure,
            "allowed_hosts": allowed_host or None,
            "log_to_stdout": log_stdout,
        },
        ignored=ignored,
        stop_when_started=quick_test_for_ci,
    )


@app.command()
def run(
    workflow: Annotated[Path, typer.Argument(help="Workflow in API format.")],
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="NODE.INPUT=VALUE", help='Change an input: --set 6.text="a cat"; may be repeated.'
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Folder for the results [default: where the server keeps them]."),
    ] = None,
    url: Annotated[
        str | None, typer.Option(help="Server to run it on; without one, a server is started for this run.")
    ] = None,
    api_key: Annotated[
        str | None, typer.Option(envvar="INGLENOOK_API_KEY", help="Key for the server at --url.", show_envvar=True)
    ] = None,
    base_directory: BaseDirectory = None,
    cpu: Cpu = None,
) -> None:
    """Run one workflow and print the paths of what it made."""
    from inglenook.cli.running import run_workflow

    options: dict[str, Any] = {"base_directory": base_directory, "cpu": cpu}
    run_workflow(workflow, assignments or [], output=output, url=url, api_key=api_key, options=options)


@app.command()
def demo(
    prompt: Annotated[
        str, typer.Option(help="What to draw: a shape and two colours.")
    ] = "a red circle on a blue background",
    seed: Annotated[int | None, typer.Option(help="Seed of the noise [default: the workflow's].")] = None,
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the picture.")] = Path("demo"),
    cpu: Cpu = None,
) -> None:
    """Start a server, draw one picture over its API with the model that ships with inglenook, stop."""
    from inglenook.cli.demo import run_demo

    run_demo(prompt, seed=seed, folder=output, options={"cpu": cpu})


@app.command()
def nodes(
    node_class: Annotated[str | None, typer.Argument(metavar="[CLASS]", help="Show the inputs of this class.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, in the shape of /object_info.")] = False,
) -> None:
    """List the built-in node classes by category, or show one."""
    from inglenook.cli.node_list import show_nodes

    show_nodes(node_class, as_json=as_json)


packs = typer.Typer(help="Look after node packs written for ComfyUI.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(packs, name="packs")

PackPath = Annotated[Path, typer.Argument(metavar="PACK", help="Folder or .py file of the pack.")]
ImportTimeout = Annotated[float, typer.Option(min=0.1, help="Longest import of one pack, seconds.")]


@packs.command("list")
def packs_list(
    base_directory: BaseDirectory = None,
    quick: Annotated[bool, typer.Option("--quick", help="Only list them; import nothing.")] = False,
    timeout: ImportTimeout = 120.0,
) -> None:
    """List the packs in custom_nodes, with what becomes of each when it is imported."""
    from inglenook.cli.packs import list_packs

    list_packs(base_directory, quick=quick, timeout_s=timeout)


@packs.command("check")
def packs_check(pack: PackPath, base_directory: BaseDirectory = None, timeout: ImportTimeout = 120.0) -> None:
    """Import one pack in a process of its own and show its node classes, or why it cannot be imported."""
    from inglenook.cli.packs import check

    check(pack, base_directory, timeout_s=timeout)


@packs.command("install")
def packs_install(
    pack: PackPath, yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False
) -> None:
    """Install what a pack needs with pip, without touching torch and the rest that inglenook runs on."""
    from inglenook.cli.packs import install

    install(pack, yes=yes)


keys = typer.Typer(help="Make and revoke API keys of a server.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(keys, name="keys")

DataDir = Annotated[Path | None, typer.Option(help="Data folder [default: user/inglenook under the base].")]


@keys.command("add")
def keys_add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the key is for.")],
    scope: Annotated[str, typer.Option(help="read, run (submit, upload, cancel) or admin (everything).")] = "run",
    user: Annotated[str | None, typer.Option(help="Id of the user to whom it belongs, with --multi-user.")] = None,
    base_directory: BaseDirectory = None,
    data_dir: DataDir = None,
) -> None:
    """Make a key and print it: only now, it cannot be shown again. A running server takes it within a second."""
    from inglenook.cli.keys import add_key

    add_key(name, scope, user, {"base_directory": base_directory, "data_dir": data_dir})


@keys.command("list")
def keys_list(
    base_directory: BaseDirectory = None,
    data_dir: DataDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, in the shape of GET /keys.")] = False,
) -> None:
    """List the keys, with when they were used last."""
    from inglenook.cli.keys import list_keys

    list_keys({"base_directory": base_directory, "data_dir": data_dir}, as_json=as_json)


@keys.command("revoke")
def keys_revoke(
    key: Annotated[str, typer.Argument(metavar="KEY", help="Id or name, as `keys list` shows them.")],
    base_directory: BaseDirectory = None,
    data_dir: DataDir = None,
) -> None:
    """End a key, the logins that it made and what it has open, within a second."""
    from inglenook.cli.keys import revoke_key

    revoke_key(key, {"base_directory": base_directory, "data_dir": data_dir})
