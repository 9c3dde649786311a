"""What packs say that they need, and what is done about it."""

from importlib import metadata

import pytest

from inglenook.errors import SettingsError
from inglenook.packs.requirements import (
    State,
    constraints,
    kept_versions,
    requirements_of,
    to_install,
)

NUMPY = metadata.version("numpy")


@pytest.fixture
def pack(tmp_path):
    """Makes a pack of these files."""

    def make(**files):
        for name, text in files.items():
            path = tmp_path / name.replace("__", "/").replace("_", ".", 1)
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return tmp_path

    return make


def states(needed):
    return {entry.line: entry.state for entry in needed.entries}


def test_each_requirement_is_compared_with_what_is_installed(pack):
    needed = requirements_of(
        pack(
            requirements_txt=f"""
            # what this pack needs
            numpy
            NumPy=={NUMPY}   # a comment
            pytest>=1,<1000
            pytest<1
            acme-no-such-package[extra]>=2; python_version >= "3"
            acme-windows; sys_platform == "nowhere"
            acme-only-with-extra; extra == "gpu"
            """
        )
    )
    assert states(needed) == {
        "numpy": State.INSTALLED,
        f"NumPy=={NUMPY}": State.INSTALLED,
        "pytest>=1,<1000": State.INSTALLED,
        "pytest<1": State.OTHER_VERSION,
        'acme-no-such-package[extra]>=2; python_version >= "3"': State.MISSING,
        'acme-windows; sys_platform == "nowhere"': State.NOT_HERE,
        'acme-only-with-extra; extra == "gpu"': State.NOT_HERE,
    }
    assert needed.missing == ["pytest<1", 'acme-no-such-package[extra]>=2; python_version >= "3"']


def test_what_inglenook_runs_on_is_not_installed_in_another_version(pack):
    needed = requirements_of(pack(requirements_txt="torch==1.0\nnumpy<1\nPillow<2\nfastapi<0.1\nacme\n"))
    assert [entry.state for entry in needed.having(State.KEPT)] == [State.KEPT] * 4
    assert to_install(needed) == ["acme"]


def test_constraints_name_what_is_installed():
    lines = constraints().splitlines()
    assert f"numpy=={NUMPY}" in lines
    assert f"torch=={metadata.version('torch')}" in lines
    assert {"transformers", "safetensors", "pillow", "aiohttp", "fastapi"} <= set(kept_versions())
    assert not {"pytest", "ruff", "mypy"} & set(kept_versions())


def test_addresses_and_files_are_left_to_pip(pack):
    lines = [
        "git+https://example.invalid/acme/acme.git@main",
        "git+https://example.invalid/numpy.git#egg=numpy",
        "./wheels/acme-1.0-py3-none-any.whl",
        "-e ./lib",
        "acme @ https://example.invalid/acme.zip",
        "this is no requirement",
    ]
    needed = requirements_of(pack(requirements_txt="\n".join(lines)))
    assert list(states(needed).values()) == [
        State.UNKNOWN,
        State.INSTALLED,
        State.UNKNOWN,
        State.UNKNOWN,
        State.MISSING,
        State.UNKNOWN,
    ]
    assert to_install(needed) == [line for line in lines if "numpy" not in line]


def test_options_for_pip_come_first_and_only_with_something_to_install(pack):
    twice = "acme \\\n  >=1 --hash=sha256:00\n"
    text = f"{twice}--extra-index-url https://example.invalid/simple\n{twice}"
    needed = requirements_of(pack(requirements_txt=text))
    assert needed.options == ("--extra-index-url https://example.invalid/simple",)
    assert to_install(needed) == ["--extra-index-url https://example.invalid/simple", "acme   >=1 --hash=sha256:00"]
    assert to_install(requirements_of(pack(requirements_txt="--pre\nnumpy\n"))) == []


def test_included_files_count(pack):
    folder = pack(
        requirements_txt="-r more.txt\nacme-a", more_txt="--requirement=sub/last.txt\nacme-b", sub__last_txt="acme-c"
    )
    assert requirements_of(folder).missing == ["acme-c", "acme-b", "acme-a"]


def test_without_requirements_the_project_counts(pack):
    folder = pack(pyproject_toml='[project]\nname = "acme"\ndependencies = ["numpy", "acme-x>=1", " "]\n')
    assert requirements_of(folder).missing == ["acme-x>=1"]
    pack(requirements_txt="# nothing\n")
    assert requirements_of(folder).missing == []


def test_a_pack_without_such_files_needs_nothing(pack, tmp_path):
    (tmp_path / "single.py").write_text("")
    for path in (tmp_path, tmp_path / "single.py", tmp_path / "nowhere"):
        needed = requirements_of(path)
        assert (needed.source, needed.entries, to_install(needed)) == (None, (), [])


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
def test_text_of_other_systems_is_read(pack, encoding):
    assert requirements_of(pack(requirements_txt="acme-ö\r\nacme\r\n".encode(encoding))).missing[-1] == "acme"


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"requirements_txt": "-r ../outside.txt"}, "not in the pack"),
        ({"requirements_txt": "-r /etc/passwd"}, "not in the pack"),
        ({"requirements_txt": "-r requirements.txt"}, "perhaps itself"),
        ({"requirements_txt": "-r nowhere.txt"}, "cannot read"),
        ({"requirements_txt": b"#" * (1 << 21)}, "larger than"),
        ({"pyproject_toml": "[project"}, "not valid TOML"),
        ({"pyproject_toml": "[project]\ndependencies = 'acme'"}, "must be a list"),
        ({"pyproject_toml": "[project]\ndependencies = [1]"}, "must be a list"),
    ],
)
def test_files_that_cannot_be_read_are_named(pack, files, reason):
    with pytest.raises(SettingsError, match=reason):
        requirements_of(pack(**files))


@pytest.mark.parametrize("text", ["project = 3", "[tool.x]\n", ""])
def test_a_project_that_names_none_needs_nothing(pack, text):
    assert requirements_of(pack(pyproject_toml=text)).entries == ()
