"""`prestartup_script.py` of packs: code that runs before any pack is imported, to set variables or copy files."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable, Iterable

from inglenook.engine.failure import exception_message, exception_name, exception_traceback
from inglenook.packs.discovery import Pack

logger = logging.getLogger(__name__)

_SCRIPT = "prestartup_script.py"


def run_prestartup_scripts(packs: Iterable[Pack], announce: Callable[[str], None]) -> None:
    """Run the scripts that there are; `announce` is told of each pack before. One that fails is logged."""
    for pack in packs:
        script = pack.path / _SCRIPT
        if not pack.is_package or not script.is_file():
            continue
        announce(pack.name)
        spec = importlib.util.spec_from_file_location(f"{pack.name}.{script.stem}", script)
        assert spec is not None
        assert spec.loader is not None
        try:
            spec.loader.exec_module(importlib.util.module_from_spec(spec))
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # SystemExit too, as when a pack is imported
            reason = f"{exception_name(error)}: {exception_message(error).strip()}"
            traceback = "".join(exception_traceback(error))
            logger.error("the start-up script of pack %s failed: %s\n%s", pack.name, reason, traceback)
