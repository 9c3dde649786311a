import asyncio
import json
import logging
import os

import folder_paths
import server
from aiohttp import WSMsgType, web

HERE = os.path.dirname(os.path.abspath(__file__))
routes = server.PromptServer.instance.routes
ticks = []


@routes.get("/web_routes/hello/{name}")
async def hello(request):
    return web.json_response(
        {
            "hello": request.match_info["name"],
            "query": dict(request.rel_url.query),
            "input": folder_paths.get_input_directory(),
        }
    )


@routes.post("/web_routes/echo")
async def echo(request):
    try:
        data = await request.json()
    except json.JSONDecodeError:
        return web.json_response({"error": "no JSON"}, status=400)
    return web.json_response(data)


@routes.get("/web_routes/file")
async def file(request):
    return web.FileResponse(os.path.join(HERE, "assets", "note.txt"), headers={"X-Pack": "web-routes"})


@routes.post("/web_routes/upload")
async def upload(request):
    post = await request.post()
    field = post.get("file")
    if field is None or not field.file:
        return web.Response(status=400)
    content = field.file.read()
    with open(os.path.join(folder_paths.get_input_directory(), field.filename), "wb") as f:
        f.write(content)
    return web.json_response({"name": field.filename, "size": len(content), "note": post.get("note")})


@routes.get("/web_routes/socket")
async def socket(request):
    ws = web.WebSocketResponse()
    await ws.prepare(request)
    async for message in ws:
        if message.type == WSMsgType.TEXT:
            if message.data == "close":
                break
            await ws.send_json({"said": message.data})
        elif message.type == WSMsgType.BINARY:
            await ws.send_bytes(message.data[::-1])
    return ws


@routes.post("/web_routes/shout")
async def shout(request):
    data = await request.json()
    server.PromptServer.instance.send_sync("web_routes.shout", data, data.get("client_id"))
    return web.Response(text="ok")


@routes.get("/web_routes/stream")
async def stream(request):
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    for i in range(3):
        await response.write(f"data: {i}\n\n".encode())
        await asyncio.sleep(0.01)
    await response.write_eof()
    return response


@routes.delete("/web_routes/echo")
async def delete(request):
    return web.Response(status=204)


@routes.get("/web_routes/fails")
async def fails(request):
    raise KeyError("nothing here")


@routes.get("/web_routes/ticks")
async def get_ticks(request):
    return web.json_response({"ticks": len(ticks), "queue": server.PromptServer.instance.get_queue_info()})


@web.middleware
async def stamp(request, handler):
    response = await handler(request)
    if request.path.startswith(("/web_routes", "/api/web_routes")) and not response.prepared:
        response.headers["X-Web-Routes"] = "seen"
    return response


async def tick():
    while True:
        ticks.append(1)
        await asyncio.sleep(0.05)


async def plain(request):
    return web.Response(text="plain")


app = server.PromptServer.instance.app
app.middlewares.append(stamp)
app.add_routes([web.static("/web_routes_assets", os.path.join(HERE, "assets"))])
app.router.add_get("/web_routes_plain", plain)
server.PromptServer.instance.loop.create_task(tick())


def on_prompt(json_data):
    """Fills in what the editor left open."""
    try:
        for node in json_data["prompt"].values():
            if node["class_type"] == "WebRoutesStamp" and node["inputs"].get("stamp") == "?":
                node["inputs"]["stamp"] = "stamped by the server"
    except Exception as e:
        logging.warning("[web-routes] %s", e)
    return json_data


server.PromptServer.instance.add_on_prompt_handler(on_prompt)
