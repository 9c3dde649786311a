"""Exceptions are told without this machine's folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from inglenook.engine import failure
from inglenook.engine.failure import cut_path, exception_message, exception_name, exception_traceback, is_out_of_memory
from inglenook.errors import NodeError
from tests.engine.toys import basic, node


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/home/me/ComfyUI/custom_nodes/acme-pack/nodes/a.py", "custom_nodes/acme-pack/nodes/a.py"),
        ("/srv/venv/lib/python3.11/site-packages/torch/nn/module.py", "torch/nn/module.py"),
        (str(Path(failure.__file__)), "inglenook/engine/failure.py"),
        ("/tmp/secret/script.py", "script.py"),
        ("<string>", "<string>"),
    ],
)
def test_paths_are_cut(path: str, shown: str) -> None:
    assert cut_path(path) == shown


def test_names_are_qualified_but_for_builtins() -> None:
    assert exception_name(ValueError()) == "ValueError"
    assert exception_name(NodeError()) == "inglenook.errors.NodeError"


def test_message_ends_with_a_newline_and_is_bounded() -> None:
    assert exception_message(ValueError("x")) == "x\n"
    assert exception_message(ValueError()) == "\n"
    assert len(exception_message(ValueError("x" * 10**6))) < 11_000

    class Unreadable(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert exception_message(Unreadable()).endswith("\n")


def test_memory_errors_are_known_by_name_and_text() -> None:
    out_of_memory = type("OutOfMemoryError", (RuntimeError,), {})
    assert is_out_of_memory(out_of_memory("x"))
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(RuntimeError("CUDA error: out of memory"))
    assert not is_out_of_memory(RuntimeError("shape mismatch"))


def test_traceback_begins_in_the_node_and_shows_no_folders() -> None:
    end = basic().run({"1": node("Fail", text="a"), "2": node("Show", text=["1", 0])}).end
    assert "in fail" in end.traceback[-1]
    assert 'raise ValueError(f"cannot use {text}")' in end.traceback[-1]
    assert not any("execution.py" in line for line in end.traceback)
    assert not any(str(Path(__file__).parent) in line for line in end.traceback)


def test_deep_traceback_is_cut_in_the_middle() -> None:
    def deep(level: int) -> None:
        if level == 0:
            raise ValueError("bottom")
        deep(level - 1)

    with pytest.raises(ValueError) as caught:
        deep(500)
    lines = exception_traceback(caught.value)
    assert len(lines) == 100
    assert "bottom" in lines[-1]
