"""Finding out what a model file is, loading it, and sampling with it.

Needs torch: only `nodes` and the device process import it.
"""
