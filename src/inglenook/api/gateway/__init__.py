"""Routes that ComfyUI does not have."""
