"""Who may call an exposed server, and what for: keys, scopes, sessions of browsers, and the rule without keys.

layer       the ASGI layer that every request passes, between Boundary and the routes
scopes      read, run, admin, and which request needs which
keys        what a key is; keyfile: where they are kept; keyring: those of a running server
credentials where in a request a key stands; prompt_body: the one place in a body
sessions    cookies of browsers that have logged in; login: the pages for it; pages: their HTML
local       whether a caller is on this machine
throttle    wrong keys of one address
refusals    answers to those who may not
routes      `/keys`
"""
