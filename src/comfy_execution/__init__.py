"""What node packs written for ComfyUI import from its package of this name: small modules over `inglenook.engine`.

Importable anywhere, without torch and without a server, so that packs can test what they build.
"""
