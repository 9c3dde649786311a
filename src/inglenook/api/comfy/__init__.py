"""ComfyUI's routes and socket messages, in its exact shapes; the only place (with `workers/remote.py`) that speaks them."""
