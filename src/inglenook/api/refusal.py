"""The refusal of a submission, in ComfyUI's shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from inglenook.api.errors import JSONResponse
from inglenook.errors import InglenookError


class PromptRefused(InglenookError):
    """A submission that is answered with ComfyUI's error shape."""

    def __init__(self, error: dict[str, Any], node_errors: Mapping[str, Any] | None = None, status: int = 400) -> None:
        super().__init__(str(error.get("message", "")))
        self.error = error
        self.node_errors = node_errors or {}
        self.status = status

    @classmethod
    def simple(cls, kind: str, text: str, details: str = "", status: int = 400) -> PromptRefused:
        return cls({"type": kind, "message": text, "details": details, "extra_info": {}}, status=status)

    def body(self) -> dict[str, Any]:
        """The answer's JSON."""
        return {"error": self.error, "node_errors": self.node_errors}

    def response(self) -> Response:
        return JSONResponse(self.body(), status_code=self.status)
