"""The web editor of ComfyUI, served from the packages that the extra `editor` installs.

Only their files are read, and none of their code is imported: the editor and its node help are under the GPL.
"""

from inglenook.api.editor.front_end import FrontEnd, FrontEndFiles
from inglenook.api.editor.prefix import UnderEditor

__all__ = ["FrontEnd", "FrontEndFiles", "UnderEditor"]
