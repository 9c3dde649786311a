"""What `/` shows where no front end is: what this is, and where to go."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from inglenook import __version__
from inglenook.api.pages import language, page

_TEXTS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "title": "It runs",
        "intro": "A server for ComfyUI workflows, version {version}.",
        "editor": "Editor",
        "editor_why": "Draw a workflow and run it, as in ComfyUI.",
        "docs": "API",
        "docs_why": "Every route, to read and to try.",
        "tasks": "Tasks",
        "tasks_why": "What has run and what waits, as JSON.",
        "info": "System",
        "info_why": "Devices, memory and versions, as JSON.",
    },
    "zh": {
        "title": "正在运行",
        "intro": "ComfyUI 工作流服务器，版本 {version}。",
        "editor": "编辑器",
        "editor_why": "像在 ComfyUI 中一样绘制并运行工作流。",
        "docs": "API",
        "docs_why": "查看并试用全部接口。",
        "tasks": "任务",
        "tasks_why": "已运行和等待中的任务（JSON）。",
        "info": "系统",
        "info_why": "设备、内存和版本信息（JSON）。",
    },
}
_PLACES = (("editor", "editor/"), ("docs", "docs"), ("tasks", "api/tasks"), ("info", "api/system/info"))


def start_page(accepted: str) -> Response:
    """The page. accepted: an Accept-Language."""
    text = _TEXTS[language(accepted)]
    places = "".join(
        f'<li><a href="{address}">{text[name]}</a><p>{text[f"{name}_why"]}</p></li>' for name, address in _PLACES
    )
    return page(accepted, text["title"], f"<p>{text['intro'].format(version=__version__)}</p><ul>{places}</ul>")
