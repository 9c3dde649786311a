"""Small documents without scripts that the server shows to browsers itself, in English and Chinese."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping

from starlette.responses import Response

_STYLE = """
:root{color-scheme:light dark;--page:#f4f2ee;--card:#fff;--text:#25211c;--soft:#6f675d;--line:#d9d3c9;--fire:#b4481e}
@media(prefers-color-scheme:dark){
:root{--page:#191715;--card:#23201d;--text:#efeae3;--soft:#a39a8f;--line:#3d3833;--fire:#e8803f}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1.5rem;background:var(--page);
color:var(--text);font:16px/1.5 system-ui,"PingFang SC","Microsoft YaHei","Noto Sans CJK SC",sans-serif}
main{width:100%;max-width:24rem;padding:2rem;background:var(--card);border:1px solid var(--line);border-radius:12px}
h1{margin:0 0 .25rem;font-size:1.25rem}
h1 i{font-style:normal;color:var(--fire)}
p{margin:.25rem 0 1.25rem;color:var(--soft)}
p.wrong{color:var(--fire)}
label{display:block;margin-bottom:.35rem;font-weight:600}
input,button{width:100%;padding:.65rem .8rem;border-radius:8px;font:inherit}
input{border:1px solid var(--line);background:transparent;color:inherit}
input:focus-visible,button:focus-visible{outline:2px solid var(--fire);outline-offset:2px}
button{margin-top:1rem;border:0;background:var(--fire);color:#fff;font-weight:600;cursor:pointer}
code{overflow-wrap:anywhere}
ul{margin:0;padding:0;list-style:none}
li+li{margin-top:.75rem;padding-top:.75rem;border-top:1px solid var(--line)}
a{color:var(--fire);font-weight:600}
li p{margin:.15rem 0 0}
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'self'",
    "Cache-Control": "no-store",
    "Vary": "Accept-Language",
}

_LANGUAGES = ("en", "zh")


def language(accepted: str) -> str:
    """`zh` or `en`, whichever an Accept-Language prefers."""
    best, best_weight = "en", 0.0
    for part in accepted[:500].lower().split(","):
        tag, _, parameter = part.strip().partition(";")
        name, weight = tag.strip()[:2], _weight(parameter)
        if name in _LANGUAGES and weight > best_weight:
            best, best_weight = name, weight
    return best


def _weight(parameter: str) -> float:
    try:
        return float(parameter.strip().removeprefix("q=")) if parameter else 1.0
    except ValueError:
        return 0.0


def page(accepted: str, title: str, body: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """One of these documents. accepted: an Accept-Language; body: HTML, escaped where it must be."""
    code = "zh-CN" if language(accepted) == "zh" else "en"
    document = (
        f'<!doctype html><html lang="{code}"><head><meta charset="utf-8"><title>{title} – inglenook</title>'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><meta name="robots" content="noindex">'
        f"<style>{_STYLE}</style></head><body><main><h1><i>inglenook</i> · {title}</h1>{body}</main></body></html>"
    )
    return Response(document, status, {**_HEADERS, **(headers or {})}, "text/html")
