"""Which device a server's process runs on, and which it sees."""

import pytest

from inglenook.api.services import _device, _visible_devices
from inglenook.settings import Settings


@pytest.mark.parametrize(
    ("settings", "device"),
    [({}, "auto"), ({"default_device": 1}, "cuda:1"), ({"default_device": 1, "cpu": True}, "cpu")],
)
def test_the_device_that_is_asked_for(settings, device):
    assert _device(Settings(**settings)) == device


def test_other_gpus_are_hidden_only_when_some_are_named():
    assert _visible_devices(Settings()) == {}
    assert _visible_devices(Settings(cuda_device="0,2"))["CUDA_VISIBLE_DEVICES"] == "0,2"
