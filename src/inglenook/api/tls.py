"""The certificate with which a server speaks https, checked before it opens its port."""

from __future__ import annotations

import ssl
from pathlib import Path

from inglenook.errors import SettingsError
from inglenook.settings import Settings


def check_tls(settings: Settings) -> bool:
    """Whether the server is to speak https. Raises SettingsError when the files for it cannot be used."""
    key, certificate = settings.tls_keyfile, settings.tls_certfile
    if key is None and certificate is None:
        return False
    if key is None or certificate is None:
        missing, given = ("--tls-keyfile", "--tls-certfile") if key is None else ("--tls-certfile", "--tls-keyfile")
        raise SettingsError(f"{given} needs {missing} too: https takes both the private key and the certificate")
    _check_readable(key, "--tls-keyfile")
    _check_readable(certificate, "--tls-certfile")
    _check_pair(key, certificate)
    return True


def _check_readable(path: Path, option: str) -> None:
    try:
        path.expanduser().read_bytes()
    except OSError as error:
        raise SettingsError(f"cannot read {path} of {option}: {error.strerror or error}") from error


def _check_pair(key: Path, certificate: Path) -> None:
    def refuse_password() -> str:
        raise SettingsError(f"the key {key} is encrypted: give one without a password, readable by the server alone")

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate.expanduser(), key.expanduser(), password=refuse_password)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise SettingsError(f"the key {key} does not belong to the certificate {certificate}") from error
        raise SettingsError(
            f"cannot use the key {key} with the certificate {certificate}, which must both be PEM files: "
            f"{error.reason or error}"
        ) from error
