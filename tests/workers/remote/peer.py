"""A server whose every answer a test decides, with what a remote worker asks beside jobs."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from tests.client.peer import Peer

CATALOG: dict[str, Any] = {
    "Make": {
        "input": {"required": {"seed": ["INT", {"default": 0}]}},
        "output": ["IMAGE"],
        "output_name": ["image"],
        "output_node": False,
    },
    "Load": {
        "input": {"required": {"image": [["theirs.png"], {"image_upload": True}], "model": [["a.safetensors"]]}},
        "output": ["IMAGE"],
        "output_node": False,
    },
    "LoadResult": {
        "input": {"required": {"image": ["COMBO", {"image_upload": True, "image_folder": "output"}]}},
        "output": ["IMAGE"],
        "output_node": False,
    },
    "Show": {
        "input": {"required": {"images": ["IMAGE"]}, "hidden": {"prompt": "PROMPT"}},
        "output": [],
        "output_node": True,
    },
    "SaveImageWebsocket": {"input": {"required": {"images": ["IMAGE"]}}, "output": [], "output_node": True},
}
GRAPH = {
    "1": {"class_type": "Make", "inputs": {"seed": 1}},
    "2": {"class_type": "Show", "inputs": {"images": ["1", 0]}},
}


class RemotePeer(Peer):
    def __init__(self) -> None:
        super().__init__()
        self.catalog: Any = dict(CATALOG)
        self.interrupts: list[Any] = []
        self.special = {
            ("GET", "/object_info"): self._object_info,
            ("GET", "/system_stats"): self._system_stats,
            ("GET", "/prompt"): self._length,
            ("POST", "/interrupt"): self._interrupt,
        }

    async def _object_info(self, request: web.Request) -> web.StreamResponse:
        self.requests.append("/object_info")
        return web.json_response(self.catalog)

    async def _system_stats(self, request: web.Request) -> web.StreamResponse:
        device = {"name": "cuda:0 Tester", "type": "cuda", "index": 0, "vram_total": 1 << 33, "vram_free": 1 << 32}
        return web.json_response({"system": {"comfyui_version": "0.3.64"}, "devices": [device]})

    async def _length(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"exec_info": {"queue_remaining": len(self.queue)}})

    async def _interrupt(self, request: web.Request) -> web.StreamResponse:
        self.interrupts.append(await request.json())
        return web.Response()
