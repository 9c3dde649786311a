"""Nodes written for ComfyUI's V3 API: what `from comfy_api.latest import io, ui, ComfyExtension` gives to a pack.

    options    closed sets that declarations use (folders, upload buttons, how a number is shown)
    types      inputs, outputs, and types made of the two; how an input is written down
    widgets    types with a widget: numbers, text, choices        sockets   types that only links carry
    dynamic    inputs that stand for others; types that depend on what is linked
    schema     the declaration of a node class, and its interface document
    hidden     what the engine gives besides the inputs            output    what a node function returns
    node       the base class of nodes, with the attributes of a V1 class
    ui         data for the editor; `saving` writes the files it names
    runtime    progress, previews                                  extension  a pack's list of node classes
    replacements  classes that stand for older ones                payloads   what `ui` data holds
    video      the value of VIDEO sockets                          kinds      names for values: `Input`, `Types`, ...
    io         all that is called `io.X`
    adapter    a node class as the engine runs it

Imports torch. The engine, and everything else of inglenook, sees what `adapter` makes only.
"""
