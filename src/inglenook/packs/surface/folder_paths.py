"""ComfyUI's `folder_paths`: where models, inputs and results are."""

from __future__ import annotations

from typing import Any

from inglenook.media.folders import MODEL_EXTENSIONS
from inglenook.nodes.environment import environment
from inglenook.packs.folder_paths import (
    SYSTEM_USER_PREFIX,
    CacheHelper,
    add_model_folder_path,
    annotated_filepath,
    cached_filename_list_,
    exists_annotated_filepath,
    filter_files_content_types,
    filter_files_extensions,
    get_annotated_filepath,
    get_directory_by_type,
    get_filename_list,
    get_folder_paths,
    get_full_path,
    get_full_path_or_raise,
    get_input_directory,
    get_input_subfolders,
    get_output_directory,
    get_public_user_directory,
    get_save_image_path,
    get_system_user_directory,
    get_temp_directory,
    get_user_directory,
    recursive_search,
    set_input_directory,
    set_output_directory,
    set_temp_directory,
    set_user_directory,
)
from inglenook.packs.folder_paths import cached_filename_list_ as get_filename_list_
from inglenook.packs.model_folders import map_legacy
from inglenook.packs.model_folders import table as folder_names_and_paths
from inglenook.packs.surface_finder import missing

__all__ = [
    "SYSTEM_USER_PREFIX",
    "CacheHelper",
    "add_model_folder_path",
    "annotated_filepath",
    "cache_helper",
    "cached_filename_list_",
    "exists_annotated_filepath",
    "filename_list_cache",
    "filter_files_content_types",
    "filter_files_extensions",
    "folder_names_and_paths",
    "get_annotated_filepath",
    "get_directory_by_type",
    "get_filename_list",
    "get_filename_list_",
    "get_folder_paths",
    "get_full_path",
    "get_full_path_or_raise",
    "get_input_directory",
    "get_input_subfolders",
    "get_output_directory",
    "get_public_user_directory",
    "get_save_image_path",
    "get_system_user_directory",
    "get_temp_directory",
    "get_user_directory",
    "map_legacy",
    "recursive_search",
    "set_input_directory",
    "set_output_directory",
    "set_temp_directory",
    "set_user_directory",
    "supported_pt_extensions",
]

supported_pt_extensions = set(MODEL_EXTENSIONS)
filename_list_cache: dict[str, Any] = {}
"""Packs clear it; nothing is kept here, since lists are read again after every change."""
cache_helper = CacheHelper()

__getattr__ = missing(
    __name__,
    {
        "base_path": lambda: str(environment().folders.base),
        "models_dir": lambda: str(environment().folders.base / "models"),
        "input_directory": get_input_directory,
        "output_directory": get_output_directory,
        "temp_directory": get_temp_directory,
        "user_directory": get_user_directory,
    },
)
