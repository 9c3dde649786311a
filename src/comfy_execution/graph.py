"""The graph of a run as nodes see it, and what can be wrong with it."""

from __future__ import annotations

from inglenook.engine.blocker import ExecutionBlocker
from inglenook.engine.cycle import DependencyCycleError
from inglenook.engine.dynamic_graph import DynamicGraph as DynamicPrompt
from inglenook.engine.dynamic_graph import NodeNotFound as NodeNotFoundError

__all__ = ["DependencyCycleError", "DynamicPrompt", "ExecutionBlocker", "NodeNotFoundError"]
