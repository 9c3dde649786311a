"""`server`: routes and messages of node packs."""

from aiohttp import web as web

from inglenook.packs.prompt_server import BinaryEventTypes as BinaryEventTypes
from inglenook.packs.prompt_server import PromptServer as PromptServer
from inglenook.packs.surface_finder import missing

__getattr__ = missing(__name__)
