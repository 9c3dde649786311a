"""https and wss, and the files that they take."""

import json
import os
import shutil
import ssl
import subprocess

import httpx
import pytest
from websockets.sync.client import connect

from inglenook.api.server import serve
from inglenook.api.tls import check_tls
from inglenook.errors import SettingsError
from inglenook.settings import Settings
from tests.cli.conftest import RunningServer

OPENSSL = shutil.which("openssl")
needs_openssl = pytest.mark.skipif(OPENSSL is None, reason="there is no openssl to make a certificate with")


def make_pair(folder, name, *, password=None):
    """A private key and a certificate for 127.0.0.1 that it signs itself."""
    key, certificate = folder / f"{name}.key", folder / f"{name}.crt"
    lock = ["-nodes"] if password is None else ["-passout", f"pass:{password}"]
    kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-days", "2", *lock]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    command = [OPENSSL, "req", *kind, "-keyout", key, "-out", certificate, *names]
    subprocess.run(command, check=True, capture_output=True)
    return key, certificate


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    return make_pair(tmp_path_factory.mktemp("pair"), "own")


@pytest.fixture(scope="module")
def server(tmp_path_factory, pair):
    key, certificate = pair
    options = ("--port", "0", "--no-local", "--tls-keyfile", str(key), "--tls-certfile", str(certificate))
    running = RunningServer(tmp_path_factory.mktemp("server"), *options)
    yield running
    running.stop()


@needs_openssl
def test_the_address_that_is_told_answers_by_https(server, pair):
    assert server.url.startswith("https://127.0.0.1:")
    trusting = ssl.create_default_context(cafile=pair[1])
    with httpx.Client(verify=trusting, timeout=60) as client:
        assert client.get(f"{server.url}/prompt").json() == {"exec_info": {"queue_remaining": 0}}


@needs_openssl
def test_sockets_are_secure_too(server, pair):
    trusting = ssl.create_default_context(cafile=pair[1])
    with connect(server.url.replace("https", "wss") + "/ws", ssl=trusting, open_timeout=60) as socket:
        assert json.loads(socket.recv(timeout=60))["type"] == "status"


@needs_openssl
def test_plain_http_gets_nothing_from_it(server):
    with pytest.raises(httpx.TransportError), httpx.Client(timeout=60) as client:
        client.get(server.url.replace("https", "http") + "/prompt")


@needs_openssl
@pytest.mark.parametrize(
    ("names", "said"),
    [
        ({"tls_keyfile": "own.key"}, "--tls-keyfile needs --tls-certfile too"),
        ({"tls_certfile": "own.crt"}, "--tls-certfile needs --tls-keyfile too"),
        ({"tls_keyfile": "none.key", "tls_certfile": "own.crt"}, "none.key of --tls-keyfile: No such file"),
        ({"tls_keyfile": "own.key", "tls_certfile": "."}, "of --tls-certfile: Is a directory"),
        ({"tls_keyfile": "own.key", "tls_certfile": "own.key"}, "which must both be PEM files"),
        ({"tls_keyfile": "text", "tls_certfile": "text"}, "which must both be PEM files"),
        ({"tls_keyfile": "other.key", "tls_certfile": "own.crt"}, "does not belong to the certificate"),
        ({"tls_keyfile": "locked.key", "tls_certfile": "locked.crt"}, "is encrypted"),
    ],
)
def test_files_that_cannot_be_used_are_said_before_a_port_is_open(tmp_path, pair, names, said):
    for path in pair:
        shutil.copy(path, tmp_path)
    make_pair(tmp_path, "other")
    make_pair(tmp_path, "locked", password="secret")
    (tmp_path / "text").write_text("no certificate")
    settings = Settings(base_directory=tmp_path, port=1, **{name: tmp_path / file for name, file in names.items()})
    with pytest.raises(SettingsError, match=said.replace(".", r"\.")):
        serve(settings)  # port 1 would be another complaint


@needs_openssl
@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_key_that_may_not_be_read_is_said(tmp_path, pair):
    key = shutil.copy(pair[0], tmp_path / "own.key")
    key.chmod(0)
    with pytest.raises(SettingsError, match="Permission denied"):
        check_tls(Settings(tls_keyfile=key, tls_certfile=pair[1]))
