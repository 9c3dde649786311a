"""Node packs written for ComfyUI: found (`discovery`), imported (`importing`), made into node classes (`v1`, `v3`).

What their code imports (`folder_paths`, `nodes`, `comfy.utils`, `comfy_api.latest`, ...) stands in `surface/`: thin
modules over our own code, importable under those names inside the device process only (`surface_finder`).
`discovery` and `requirements` need no torch; the API process and the command line use them.
"""
