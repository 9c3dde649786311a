import asyncio
import threading
import time

import comfy.model_management
import numpy as np
from aiohttp import web
from PIL import Image
from server import PromptServer

answers = {}


class WebRoutesStamp:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"stamp": ("STRING", {"default": "?"})}, "hidden": {"prompt": "PROMPT"}}

    RETURN_TYPES = ("STRING",)
    FUNCTION = "run"
    OUTPUT_NODE = True
    CATEGORY = "web routes"

    def run(self, stamp, prompt):
        PromptServer.instance.send_sync("web_routes.stamped", {"stamp": stamp, "size": np.int64(len(prompt))})
        return {"ui": {"text": [stamp]}, "result": (stamp,)}


class WebRoutesTell:
    """Tells only those who asked, and shows text and a picture at itself."""

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"text": ("STRING", {"default": ""})}, "hidden": {"id": "UNIQUE_ID"}}

    RETURN_TYPES = ("STRING",)
    FUNCTION = "run"
    OUTPUT_NODE = True
    CATEGORY = "web routes"

    def run(self, text, id):
        instance = PromptServer.instance
        instance.send_sync("web_routes.tell", {"node": id, "text": text}, instance.client_id)
        instance.send_progress_text(f"telling {text}", id)
        instance.send_sync(2, ("PNG", Image.new("RGB", (32, 16), "teal"), None), instance.client_id)
        from_thread = threading.Thread(target=lambda: instance.send_sync("web_routes.thread", {"node": id}))
        from_thread.start()
        from_thread.join()
        return {"ui": {"text": [f"{instance.last_node_id} {instance.client_id is not None}"]}, "result": (text,)}


@PromptServer.instance.routes.post("/web_routes/answer/{id}")
async def answer(request):
    answers[request.match_info["id"]] = (await request.json())["choice"]
    return web.json_response({})


class WebRoutesChoose:
    """Asks the editor and waits for its answer, as nodes that let users choose pictures do."""

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"choices": ("STRING", {"default": "a,b"})}, "hidden": {"id": "UNIQUE_ID"}}

    RETURN_TYPES = ("STRING",)
    FUNCTION = "run"
    OUTPUT_NODE = True
    CATEGORY = "web routes"

    @classmethod
    def IS_CHANGED(cls, choices, id):
        return float("nan")

    def run(self, choices, id):
        answers.pop(id, None)
        PromptServer.instance.send_sync("web_routes.choose", {"id": id, "choices": choices.split(",")})
        while id not in answers:
            comfy.model_management.throw_exception_if_processing_interrupted()
            time.sleep(0.02)
        return {"ui": {"text": [answers[id]]}, "result": (answers[id],)}


class WebRoutesAsync:
    """Two ways to run a coroutine from a node: a loop of its own, and that of the server."""

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"way": (["own loop", "server loop", "async"],)}}

    RETURN_TYPES = ("STRING",)
    FUNCTION = "run"
    OUTPUT_NODE = True
    CATEGORY = "web routes"

    def run(self, way):
        async def work():
            await asyncio.sleep(0.01)
            return threading.current_thread().name

        if way == "own loop":
            loop = asyncio.new_event_loop()
            asyncio.set_event_loop(loop)
            name = loop.run_until_complete(work())
            loop.close()
            asyncio.set_event_loop(None)
        elif way == "server loop":
            name = asyncio.run_coroutine_threadsafe(work(), PromptServer.instance.loop).result(10)
        else:
            name = asyncio.run(work())
        here = name == threading.current_thread().name
        return {"ui": {"text": ["here" if here else "elsewhere"]}, "result": (way,)}


NODE_CLASS_MAPPINGS = {cls.__name__: cls for cls in (WebRoutesStamp, WebRoutesTell, WebRoutesChoose, WebRoutesAsync)}
NODE_DISPLAY_NAME_MAPPINGS = {"WebRoutesTell": "Tell"}
