"""inglenook runs ComfyUI workflows and speaks the ComfyUI API."""

__version__ = "0.1.0"

COMFYUI_VERSION = "0.3.64"
"""The release of ComfyUI whose API this server speaks; clients and packs compare it."""
