"""The page at `/login`, and what a browser sees that is not served: one small document without scripts."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from html import escape

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
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'self'",
    "Cache-Control": "no-store",
    "Vary": "Accept-Language",
}

_TEXTS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "login": "Log in",
        "intro": "This server needs an API key.",
        "key": "API key",
        "wrong": "This key is not known here, or it was revoked.",
        "wait": "Too many wrong keys. Try again in {seconds} seconds.",
        "inside": "You are logged in with the key “{name}”.",
        "logout": "Log out",
        "closed": "Not from here",
        "closed_why": "Without an API key this server serves its own machine only. Whoever runs it can make a key:",
    },
    "zh": {
        "login": "登录",
        "intro": "访问此服务器需要 API 密钥。",
        "key": "API 密钥",
        "wrong": "密钥不正确，或已被撤销。",
        "wait": "输错次数过多，请在 {seconds} 秒后重试。",
        "inside": "已使用密钥“{name}”登录。",
        "logout": "退出登录",
        "closed": "无法从此处访问",
        "closed_why": "服务器没有设置 API 密钥，因此只接受本机访问。请管理员在服务器上创建密钥：",
    },
}


def language(accepted: str) -> str:
    """`zh` or `en`, whichever an Accept-Language prefers."""
    best, best_weight = "en", 0.0
    for part in accepted[:500].lower().split(","):
        tag, _, parameter = part.strip().partition(";")
        name, weight = tag.strip()[:2], _weight(parameter)
        if name in _TEXTS and weight > best_weight:
            best, best_weight = name, weight
    return best


def _weight(parameter: str) -> float:
    try:
        return float(parameter.strip().removeprefix("q=")) if parameter else 1.0
    except ValueError:
        return 0.0


def login_page(
    accepted: str, then: str = "", *, problem: str | None = None, seconds: int = 0, status: int = 200
) -> Response:
    """The form. then: where to go afterwards; problem: `wrong` or `wait`."""
    text = _TEXTS[language(accepted)]
    note = "" if problem is None else f'<p class="wrong" role="alert">{text[problem].format(seconds=seconds)}</p>'
    form = (
        f'{note or "<p>" + text["intro"] + "</p>"}<form method="post" action="login">'
        f'<input type="hidden" name="next" value="{escape(then)}">'
        '<input type="text" name="username" value="inglenook" autocomplete="username" hidden>'  # for password managers
        f'<label for="key">{text["key"]}</label>'
        '<input id="key" name="key" type="password" autocomplete="current-password" required autofocus>'
        f"<button>{text['login']}</button></form>"
    )
    headers = {"Retry-After": str(seconds)} if seconds else {}
    return _page(accepted, text["login"], form, status, headers)


def logged_in_page(accepted: str, name: str) -> Response:
    """What `/login` shows to those who are in."""
    text = _TEXTS[language(accepted)]
    body = (
        f"<p>{escape(text['inside'].format(name=name))}</p>"
        f'<form method="post" action="logout"><button>{text["logout"]}</button></form>'
    )
    return _page(accepted, text["login"], body, 200)


def closed_page(accepted: str) -> Response:
    """What a browser on another machine sees of a server without a key."""
    text = _TEXTS[language(accepted)]
    body = f"<p>{text['closed_why']}</p><code>inglenook keys add NAME</code>"
    return _page(accepted, text["closed"], body, 401, {"WWW-Authenticate": 'Bearer realm="inglenook"'})


def _page(accepted: str, title: str, body: str, status: int, headers: Mapping[str, str] | None = None) -> Response:
    code = "zh-CN" if language(accepted) == "zh" else "en"
    document = (
        f'<!doctype html><html lang="{code}"><head><meta charset="utf-8"><title>{title} – inglenook</title>'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><meta name="robots" content="noindex">'
        f"<style>{_STYLE}</style></head><body><main><h1><i>inglenook</i> · {title}</h1>{body}</main></body></html>"
    )
    return Response(document, status, {**_HEADERS, **(headers or {})}, "text/html")
