"""The page at `/login`, and what a browser sees that is not served."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from starlette.responses import Response

from inglenook.api.pages import language, page

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
    return page(accepted, text["login"], form, status, headers)


def logged_in_page(accepted: str, name: str) -> Response:
    """What `/login` shows to those who are in."""
    text = _TEXTS[language(accepted)]
    body = (
        f"<p>{escape(text['inside'].format(name=name))}</p>"
        f'<form method="post" action="logout"><button>{text["logout"]}</button></form>'
    )
    return page(accepted, text["login"], body, 200)


def closed_page(accepted: str) -> Response:
    """What a browser on another machine sees of a server without a key."""
    text = _TEXTS[language(accepted)]
    body = f"<p>{text['closed_why']}</p><code>inglenook keys add NAME</code>"
    return page(accepted, text["closed"], body, 401, {"WWW-Authenticate": 'Bearer realm="inglenook"'})
