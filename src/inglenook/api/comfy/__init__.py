"""ComfyUI's routes and socket messages, in its exact shapes; `workers/remote.py` is the only other place."""
