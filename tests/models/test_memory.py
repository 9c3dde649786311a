import pytest
import torch
from torch import nn

from inglenook.models.load import Network
from inglenook.models.memory import ModelStore, _container_limit_bytes, device_memory_bytes, is_out_of_memory


def linear(name: str, size: int = 10) -> Network:
    """A network of size * size float32 weights."""
    return Network(
        name=name,
        identity=(name, "diffusion"),
        role="diffusion",
        build=lambda: nn.Linear(size, size, bias=False),
        weights={"weight": lambda: torch.ones(size, size)},
        elements=size * size,
        file_dtype=torch.float32,
    )


def use(store: ModelStore, network: Network) -> nn.Module:
    with store.use(network) as module:
        return module


def test_a_network_is_loaded_once():
    store = ModelStore()
    assert use(store, linear("a")) is use(store, linear("a"))
    assert store.used_bytes == 400
    assert store.warm == ("a",)


def test_the_least_recently_used_network_goes_first():
    store = ModelStore(budget_bytes=900)
    first = use(store, linear("a"))
    use(store, linear("b"))
    assert use(store, linear("a")) is first
    use(store, linear("c"))
    assert store.warm == ("a", "c")


def test_a_network_in_use_stays():
    store = ModelStore(budget_bytes=900)
    with store.use(linear("a")) as module:
        use(store, linear("b"))
        use(store, linear("c"))
        store.unload()
        assert store.warm == ("a",)
        assert use(store, linear("a")) is module


def test_one_network_may_be_larger_than_the_budget():
    store = ModelStore(budget_bytes=100)
    use(store, linear("a"))
    assert store.warm == ("a",)


def test_unload_drops_everything():
    store = ModelStore()
    use(store, linear("a"))
    store.unload()
    assert store.used_bytes == 0


def test_all_others_go_when_the_device_says_that_it_is_full():
    store = ModelStore()
    use(store, linear("a"))
    calls = []

    def build() -> nn.Module:
        calls.append(store.warm)
        if len(calls) == 1:
            raise torch.OutOfMemoryError
        return nn.Linear(10, 10, bias=False)

    network = linear("b")
    full = Network(network.name, network.identity, network.role, build, network.weights, 100, torch.float32)
    use(store, full)
    assert calls == [("a",), ()]


def test_a_network_that_fails_to_load_leaves_nothing_behind():
    store = ModelStore()
    network = linear("a")
    broken = Network(network.name, network.identity, network.role, network.build, {}, 0, torch.float32)
    with pytest.raises(Exception, match="lacks 1 weights"):
        use(store, broken)
    assert store.warm == ()


def test_default_budget_is_part_of_the_memory():
    assert device_memory_bytes(torch.device("cpu")) > 2**28


def test_a_container_limits_the_memory(tmp_path):
    limit = tmp_path / "memory.max"
    assert _container_limit_bytes(limit) > 2**60
    limit.write_text("max\n")
    assert _container_limit_bytes(limit) > 2**60
    limit.write_text("1073741824\n")
    assert _container_limit_bytes(limit) == 2**30


def test_what_counts_as_out_of_memory():
    assert is_out_of_memory(torch.OutOfMemoryError())
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 4 bytes"))
    assert not is_out_of_memory(RuntimeError("shapes differ"))


def test_memory_for_other_programs_is_left_out_of_the_budget() -> None:
    free = ModelStore()
    shared = ModelStore(reserved_bytes=1 << 30)
    assert free._budget() - shared._budget() == pytest.approx(0.6 * (1 << 30), abs=2)
    assert ModelStore(reserved_bytes=1 << 62)._budget() == 0
