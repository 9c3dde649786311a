"""A node pack for tests: a node for each rule of ComfyUI's execution contract. Its folder has a hyphen on purpose."""

from .caching import CLASSES as CACHING
from .expansion import CLASSES as EXPANSION
from .flow import CLASSES as FLOW
from .harm import CLASSES as HARM
from .inputs import CLASSES as INPUTS
from .lists import CLASSES as LISTS
from .values import CLASSES as VALUES

NODE_CLASS_MAPPINGS = {**VALUES, **INPUTS, **LISTS, **FLOW, **EXPANSION, **CACHING, **HARM}
NODE_DISPLAY_NAME_MAPPINGS = {"RuleText": "A text"}
