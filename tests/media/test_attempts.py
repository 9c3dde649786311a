"""What a dead attempt wrote is found and removed; what others wrote is not."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from inglenook.engine import context
from inglenook.engine.events import NodeRef
from inglenook.media import writing
from inglenook.media.attempts import AttemptJournal, discard_files, forget_all

ENV = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent.parent / "src")}


@pytest.fixture
def data_folder(tmp_path):
    journal = AttemptJournal(tmp_path / "data")
    writing.keep_journal(journal)
    yield tmp_path / "data"
    writing.keep_journal(None)
    journal.close()


def write(folder, job_id, name):
    node = NodeRef("1", "1", None, "1")
    with context.running(context.NodeContext(job_id, node, lambda event: None, lambda: False)):
        writing.place(folder, lambda rescan: name, b"data", flush=True)


def test_files_of_the_attempt_go_and_others_stay(tmp_path, data_folder):
    out = tmp_path / "out"
    write(out, "mine", "a.png")
    write(out, "mine", "b.png")
    write(out, "yours", "c.png")
    assert sorted(path.name for path in discard_files(data_folder, ["mine"])) == ["a.png", "b.png"]
    assert [path.name for path in out.iterdir()] == ["c.png"]


def test_a_file_that_took_the_name_later_stays(tmp_path, data_folder):
    out = tmp_path / "out"
    write(out, "mine", "a.png")
    keep = (out / "a.png").rename(tmp_path / "elsewhere")  # so that its inode stays in use
    (out / "a.png").write_bytes(b"somebody's")
    assert discard_files(data_folder, ["mine"]) == []
    assert (out / "a.png").read_bytes() == b"somebody's"
    assert keep.exists()


def test_a_torn_last_line_is_passed_over(tmp_path, data_folder):
    out = tmp_path / "out"
    write(out, "mine", "a.png")
    (journal,) = (data_folder / "attempts").iterdir()
    with journal.open("ab") as file:
        file.write(b'["mine", "/half')
    assert len(discard_files(data_folder, ["mine"])) == 1


def test_a_line_cut_short_by_a_full_disk_swallows_no_later_one(tmp_path, data_folder):
    out = tmp_path / "out"
    write(out, "mine", "a.png")
    (journal,) = (data_folder / "attempts").iterdir()
    with journal.open("ab") as file:
        file.write(b'\n["mine", "/half')
    write(out, "mine", "b.png")
    write(out, "mine", "c.png")
    assert sorted(path.name for path in discard_files(data_folder, ["mine"])) == ["a.png", "b.png", "c.png"]


def test_a_note_that_does_not_fit_on_the_disk_is_an_error_and_not_half_a_note(tmp_path):
    """The file size limit of a process of its own stands for the full disk: a write is cut short, the next refused."""
    program = """
import resource, signal, sys
from pathlib import Path
from inglenook.media.attempts import AttemptJournal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (30, 30))
journal = AttemptJournal(Path(sys.argv[1]))
try:
    journal.note("job", "/out/a-name-of-some-length.png", 5)
except OSError as error:
    print("refused", error.errno)
"""
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, env=ENV)
    assert done.stdout == f"refused {errno.EFBIG}\n", done.stderr


def test_forgotten_attempts_remove_nothing(tmp_path, data_folder):
    write(tmp_path / "out", "mine", "a.png")
    forget_all(data_folder)
    assert discard_files(data_folder, ["mine"]) == []
    assert (tmp_path / "out" / "a.png").exists()
