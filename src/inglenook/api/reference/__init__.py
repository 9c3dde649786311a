"""What ComfyUI's routes and ours beside them answer, for `/openapi.json`; loaded when somebody asks for that.

The gateway's routes say it by models of pydantic beside each route. Handlers that render their JSON themselves have
none, and a model for each would cost every start of the server; so their answers are told here, as plain schemas.
`SCHEMAS`: named schemas. `ANSWERS`: `METHOD /path` -> status -> OpenAPI response.
"""

from __future__ import annotations

from typing import Any

from inglenook.api.reference import assets, files, gateway, models, runs, system, users

_PARTS = (runs, files, models, system, users, assets, gateway)

SCHEMAS: dict[str, Any] = {name: schema for part in _PARTS for name, schema in part.SCHEMAS.items()}
ANSWERS: dict[str, dict[str, Any]] = {route: told for part in _PARTS for route, told in part.ANSWERS.items()}
EXAMPLES: dict[str, Any] = {route: body for part in _PARTS for route, body in part.EXAMPLES.items()}
"""`METHOD /path` -> a JSON body that works."""

__all__ = ["ANSWERS", "EXAMPLES", "SCHEMAS"]
