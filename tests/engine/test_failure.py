"""Exceptions are told without this machine's folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from inglenook.engine import failure
from inglenook.engine.events import Failed
from inglenook.engine.failure import cut_path, exception_message, exception_name, exception_traceback, is_out_of_memory
from inglenook.errors import NodeError
from tests.engine.toys import Toys, basic, node


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


def test_a_failure_repeats_no_secrets_and_no_hidden_inputs() -> None:
    toys = Toys()
    token = "token-of-some-length"

    def call(text: str, **hidden: Any) -> None:
        raise ValueError(f"{hidden['auth']} was refused for {text}, as was {hidden['key']} " + "x" * 10_000)

    kinds = {"auth": "AUTH_TOKEN_COMFY_ORG", "key": "API_KEY_COMFY_ORG", "graph": "PROMPT", "info": "EXTRA_PNGINFO"}
    toys.add("Token", lambda auth: (f"Bearer {auth}",), hidden={"auth": kinds["auth"]}, output=["STRING"])
    toys.add("Call", call, required={"text": "STRING"}, hidden=kinds, output_node=True)
    extra_data = {"auth_token_comfy_org": token, "api_key_comfy_org": f"{token}-and-more", "extra_pnginfo": {"a": 1}}
    end = toys.run({"1": node("Token"), "2": node("Call", text=["1", 0])}, extra_data=extra_data).end
    assert isinstance(end, Failed)
    assert end.message.startswith("[secret] was refused for Bearer [secret], as was [secret] x")
    assert end.inputs == {"text": ["Bearer [secret]"]}
    assert token not in repr(end)


def test_a_text_too_short_for_a_secret_stays() -> None:
    def fail(text: str) -> None:
        raise ValueError(f"no {text}")

    toys = Toys()
    toys.add("Fail", fail, required={"text": "STRING"}, output_node=True)
    end = toys.run({"1": node("Fail", text="cat")}, extra_data={"api_key": "cat", "api_key_comfy_org": 5}).end
    assert end.message == "no cat\n"


def test_the_line_that_cannot_be_parsed_is_shown() -> None:
    with pytest.raises(SyntaxError) as raised:
        compile("x = 1\nif x\n", "/srv/custom_nodes/acme/lib.py", "exec")
    assert exception_traceback(raised.value)[-1] == '  File "custom_nodes/acme/lib.py", line 2\n    if x\n'
