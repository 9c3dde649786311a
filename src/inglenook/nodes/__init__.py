"""The built-in nodes: one Python file per topic, its interfaces in `interfaces/<topic>.json`.

Importing this package imports no torch; `registry.load()` does.
"""
