"""What a server measures of itself, for `/metrics` and the access log."""

from inglenook.api.telemetry.observer import Telemetry
from inglenook.api.telemetry.requests import MeteredRequests, NotedRoutes, note_route

__all__ = ["MeteredRequests", "NotedRoutes", "Telemetry", "note_route"]
