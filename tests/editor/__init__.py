"""The official editor in a real browser, on a real server."""
