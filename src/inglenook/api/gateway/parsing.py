"""Bodies as models."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from inglenook.api.errors import ApiError

Model = TypeVar("Model", bound=BaseModel)

_MOST_PROBLEMS = 20


def parsed(model: type[Model], body: Any) -> Model:
    """A body as a model. Raises ApiError 422 that tells what does not fit."""
    try:
        return model.model_validate(body)
    except ValidationError as error:
        problems = [
            {"parameter": ".".join(map(str, item["loc"]))[:200], "message": item["msg"], "choices": []}
            for item in error.errors(include_url=False, include_context=False, include_input=False)[:_MOST_PROBLEMS]
        ]
        raise ApiError(422, "invalid_request", "The request has fields that do not fit", problems) from None
