"""How addresses of other servers are read."""

import pytest

from inglenook.server_address import read_address


@pytest.mark.parametrize(
    ("text", "url", "key", "name"),
    [
        ("127.0.0.1:8189", "http://127.0.0.1:8189", None, "127.0.0.1-8189"),
        ("gpu", "http://gpu:8188", None, "gpu-8188"),
        (" gpu:1 ", "http://gpu:1", None, "gpu-1"),
        ("https://gpu.example.org/comfy/", "https://gpu.example.org/comfy", None, "gpu.example.org-comfy"),
        ("https://some%40key@gpu.example.org", "https://gpu.example.org", "some@key", "gpu.example.org"),
        ("user:secret@gpu:9", "http://gpu:9", "secret", "gpu-9"),
        ("http://[::1]:3", "http://[::1]:3", None, "1-3"),
    ],
)
def test_what_can_be_written(text, url, key, name):
    address = read_address(text)
    assert (address.url, address.api_key, address.name) == (url, key, name)
    assert key is None or key not in repr(address)


@pytest.mark.parametrize(
    "text",
    ["", " ", "ftp://h", "http://", "h:0", "h:99999", "h:x", "http://h?x=1", "http://h#x", "a b", "http://h\\x",
     "h\x00", "hö", "x" * 3000, "http://[::1", "://h", "http:///path"],
)  # fmt: skip
def test_what_cannot_is_refused_without_repeating_it(text):
    with pytest.raises(ValueError, match=r"address of a server"):
        read_address(text)
    with pytest.raises(ValueError) as caught:
        read_address(f"SECRETKEY@{text}:x:y")
    assert "SECRETKEY" not in str(caught.value)
