"""The exception tree: leaves carry data, edges translate it (to HTTP in `api/errors.py`, to events in the worker).

InglenookError
|- SettingsError          a setting or a command line that cannot work
|- WorkflowError          a graph that cannot be read
|- JobError               the queue and its store
|- ModelError             a checkpoint or another model file
|- MediaError             an input or output file
|  |- UnsafePath          a path that leaves its folder
|  `- DiskFull            no space left for a file
`- NodeError              a node was given something that it cannot use
"""


class InglenookError(Exception):
    """Base of everything that inglenook raises on purpose; the message is fit for a user's eyes."""


class SettingsError(InglenookError):
    """A setting that cannot work; the message names it."""


class WorkflowError(InglenookError):
    """A workflow that cannot be read as a graph."""


class WorkerError(InglenookError):
    """A worker cannot do what was asked of it."""


class JobError(InglenookError):
    """The queue or its store cannot do what was asked."""


class ModelError(InglenookError):
    """A model file that is missing, damaged or of an unknown kind."""


class MediaError(InglenookError):
    """An input or output file that cannot be read or written."""


class UnsafePath(MediaError):
    """A path that would leave the folder it belongs to."""


class DiskFull(MediaError):
    """There is no space left for a file."""


class NodeError(InglenookError):
    """Inputs that a node cannot work with; the message says which and what to do."""
