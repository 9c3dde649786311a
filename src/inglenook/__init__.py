"""inglenook runs ComfyUI workflows and speaks the ComfyUI API."""

__version__ = "0.1.0"
