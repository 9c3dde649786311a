"""How long a browser may keep a file, by its name: ComfyUI's rules, for answers that do not say it themselves."""

from __future__ import annotations

_SCRIPTS = (".js", ".mjs", ".css")
_PICTURES = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
_DAY_S = 86400
_HOUR_S = 3600


def cache_control(path: str, status: int) -> str | None:
    """The Cache-Control of an answer to a request for `path`, or None where there is no rule."""
    lowered = path.lower()
    last = lowered.rpartition("/")[2]
    if lowered.endswith(_SCRIPTS) or (last.startswith("index") and last.endswith(".json")):
        return "no-cache"
    if not lowered.endswith(_PICTURES):
        return None
    if 200 <= status < 300 or status in (301, 308):
        return f"public, max-age={_DAY_S}"
    if status == 404:
        return f"public, max-age={_HOUR_S}"
    return "no-cache" if status in (302, 303, 307) else None


def missing_file_headers(path: str) -> dict[str, str] | None:
    """Headers of the answer that there is no file at `path`."""
    rule = cache_control(path, 404)
    return None if rule is None else {"Cache-Control": rule}
