"""Bodies of the gateway's routes that work; their answers are models beside the routes."""

from __future__ import annotations

from typing import Any

_GRAPH = {
    "1": {"class_type": "EmptyImage", "inputs": {"width": 64, "height": 64, "batch_size": 1, "color": 255}},
    "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}},
}

SCHEMAS: dict[str, Any] = {}
ANSWERS: dict[str, dict[str, Any]] = {}
EXAMPLES: dict[str, Any] = {
    "POST /api/workflow/convert": {"workflow": _GRAPH},
    "POST /api/workflow/parameters": {"workflow": _GRAPH},
    "POST /api/workflow/submit": {"workflow": _GRAPH, "params": {"1.width": 128}, "priority": 1},
    "POST /api/run/{name}": {"output_prefix": "mine"},
    "POST /api/workflow/upload": {"name": "plain", "workflow": _GRAPH, "tags": ["test"], "description": "One colour"},
    "POST /api/workflow/update": {"filename": "plain.json", "params": {"1.width": 128}},
    "POST /api/workflow/{filename}/rename": {"name": "plain picture"},
    "POST /api/workflow/{filename}/copy": {"name": "another picture"},
    "POST /api/batch": {"workflow": _GRAPH, "grid": {"1.width": [64, 128], "1.color": [0, 255]}},
    "POST /api/workers": {"url": "gpu1:8188", "slots": 2},
}
