"""The HTTP and WebSocket side: one event loop, no torch."""
