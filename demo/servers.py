"""Starts and stops the demo's mail and SFTP servers, and says how Airflow connects to them.

``with MailServer(folder) as mail:`` and ``with SftpServer(folder) as sftp:`` run real servers on free loopback ports,
each in a process of its own that ends with the block, or with this process if that is killed.
``python -m demo.servers --root var/demo`` keeps both up until it is interrupted and writes ``servers.json``.

Certificate, host key and passwords are made once per folder and kept there, so that a restart changes nothing.
"""

from __future__ import annotations

import argparse
import ipaddress
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

HOST = "127.0.0.1"
REPOSITORY = Path(__file__).resolve().parents[1]
INVOICE_ADDRESS = "invoices@northgate.example"
ALERT_ADDRESS = "payables@northgate.example"
SENDER_ADDRESS = "airflow@northgate.example"
SFTP_USER = "suppliers"
INBOX_FOLDER = "/inbox"


class ServerDidNotStartError(RuntimeError):
    """A server process ended or stayed silent; the message ends with what it said."""


@dataclass(frozen=True)
class MailAccount:
    """Where the mailboxes are and how to log in. One password opens every mailbox and lets a client send."""

    imap_port: int
    starttls_port: int
    imaps_port: int
    smtp_port: int
    password: str
    ca_file: Path
    host: str = HOST
    address: str = INVOICE_ADDRESS

    def imap_connection(self) -> dict[str, Any]:
        """The Airflow connection of the invoice mailbox: TLS from the start, certificate checked."""
        return {
            "conn_type": "hunyuan_mailbox",
            "host": self.host,
            "port": self.imaps_port,
            "login": self.address,
            "password": self.password,
            "extra": {"security": "ssl", "ca_file": str(self.ca_file)},
        }

    def smtp_connection(self) -> dict[str, Any]:
        """The Airflow connection alerts are sent through; without TLS, which the loopback interface allows."""
        return {
            "conn_type": "smtp",
            "host": self.host,
            "port": self.smtp_port,
            "login": SENDER_ADDRESS,
            "password": self.password,
            "extra": {"from_email": SENDER_ADDRESS, "disable_ssl": True, "disable_tls": True},
        }


@dataclass(frozen=True)
class SftpAccount:
    """Where the SFTP server is, how to log in and which host key it must show (``type base64``)."""

    port: int
    password: str
    host_key: str
    key_file: Path
    root: Path
    host: str = HOST
    user: str = SFTP_USER

    def connection(self, *, with_key: bool = False) -> dict[str, Any]:
        """The Airflow connection, by password or by private key; the host key is checked either way."""
        extra: dict[str, Any] = {"host_key": self.host_key, "no_host_key_check": "false"}
        connection: dict[str, Any] = {"conn_type": "sftp", "host": self.host, "port": self.port, "login": self.user}
        if with_key:
            extra["key_file"] = str(self.key_file)
        else:
            connection["password"] = self.password
        return {**connection, "extra": extra}


class _Process:
    """A server program of ours: started, awaited until READY, stopped by closing its standard input."""

    def __init__(self, module: str, arguments: list[str], environment: Mapping[str, str], log: Path) -> None:
        self._command = [sys.executable, "-m", module, *arguments]
        self._environment = {**os.environ, **environment, "PYTHONPATH": str(REPOSITORY)}
        self._log = log
        self._process: subprocess.Popen[str] | None = None

    def start(self, timeout: float = 30) -> None:
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                self._command,
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=REPOSITORY,
                # An interrupt at the keyboard reaches the whole group; the server must stay until we stop it.
                start_new_session=True,
            )
        first_line: list[str] = []
        process = self._process
        assert process.stdout is not None
        reader = threading.Thread(target=lambda: first_line.append(process.stdout.readline()), daemon=True)  # type: ignore[union-attr]
        reader.start()
        reader.join(timeout)
        if first_line != ["READY\n"]:
            self.stop()
            raise ServerDidNotStartError(f"{self._command[2]} did not start: {self._log.read_text()[-800:].strip()}")

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None and process.stdout is not None
        process.stdin.close()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


class MailServer:
    """IMAP and SMTP on loopback. ``dates_from_header`` makes INTERNALDATE the mail's ``Date``, not the moment."""

    def __init__(
        self, folder: Path, *, dates_from_header: bool = False, ports: tuple[int, int, int, int] | None = None
    ):
        self._folder = folder
        self._dates_from_header = dates_from_header
        self._ports = ports
        self._process: _Process | None = None

    def __enter__(self) -> MailAccount:
        return _started(self._start, has_fixed_ports=self._ports is not None)

    def _start(self) -> MailAccount:
        self._folder.mkdir(parents=True, exist_ok=True)
        cert, key = _certificate(self._folder)
        imap, starttls, imaps, smtp = self._ports or _free_ports(4)
        password = _password(self._folder / "mail.password")
        arguments = [
            "--user", INVOICE_ADDRESS, "--imap-port", str(imap), "--starttls-port", str(starttls),
            "--imaps-port", str(imaps), "--smtp-port", str(smtp), "--cert", str(cert), "--key", str(key),
            *(["--dates-from-header"] if self._dates_from_header else []),
        ]  # fmt: skip
        environment = {"MAIL_PASSWORD": password}
        self._process = _Process("demo.mail_server", arguments, environment, self._folder / "mail_server.log")
        self._process.start()
        return MailAccount(imap, starttls, imaps, smtp, password, cert.resolve())

    def __exit__(self, *exc: object) -> None:
        if self._process:
            self._process.stop()


class SftpServer:
    """SFTP on loopback over ``folder/sftp``, which has an ``inbox``."""

    def __init__(self, folder: Path, *, port: int | None = None) -> None:
        self._folder = folder
        self._port = port
        self._process: _Process | None = None

    def __enter__(self) -> SftpAccount:
        return _started(self._start, has_fixed_ports=self._port is not None)

    def _start(self) -> SftpAccount:
        import asyncssh

        root = self._folder / "sftp"
        (root / INBOX_FOLDER.strip("/")).mkdir(parents=True, exist_ok=True)
        host_key, client_key = (self._folder / name for name in ("host_key", "client_key"))
        for path in (host_key, client_key):
            if not path.exists():
                fresh = asyncssh.generate_private_key("ssh-ed25519")
                _write_secret(path, fresh.export_private_key())
                fresh.write_public_key(str(path.with_suffix(".pub")))
        password = _password(self._folder / "sftp.password")
        port = self._port or _free_ports(1)[0]
        arguments = [
            "--port", str(port), "--user", SFTP_USER, "--folder", str(root.resolve()),
            "--host-key", str(host_key.resolve()), "--authorized-keys", str(client_key.with_suffix(".pub").resolve()),
        ]  # fmt: skip
        environment = {"DEMO_SFTP_PASSWORD": password}
        self._process = _Process("demo.sftp_server", arguments, environment, self._folder / "sftp_server.log")
        self._process.start()
        public = " ".join(host_key.with_suffix(".pub").read_text().split()[:2])
        return SftpAccount(port, password, public, client_key.resolve(), root)

    def __exit__(self, *exc: object) -> None:
        if self._process:
            self._process.stop()


def airflow_connections(mail: MailAccount, sftp: SftpAccount) -> dict[str, dict[str, Any]]:
    """Connection id → connection, for ``AIRFLOW_CONN_<ID>`` or ``airflow connections import``."""
    return {
        "invoice_mailbox": mail.imap_connection(),
        "invoice_sftp": sftp.connection(),
        "invoice_alerts": mail.smtp_connection(),
    }


def airflow_environment(connections: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """The connections as environment variables in Airflow's JSON form."""
    return {f"AIRFLOW_CONN_{name.upper()}": json.dumps(connection) for name, connection in connections.items()}


_Account = TypeVar("_Account", MailAccount, SftpAccount)


def _started(start: Callable[[], _Account], *, has_fixed_ports: bool) -> _Account:
    # Somebody else may take a free port before our server does: try others, unless the caller wants these.
    for _ in range(0 if has_fixed_ports else 2):
        try:
            return start()
        except ServerDidNotStartError as error:
            if "in use" not in str(error):
                raise
    return start()


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind((HOST, 0))
        return [int(each.getsockname()[1]) for each in sockets]
    finally:
        for each in sockets:
            each.close()


def _password(path: Path) -> str:
    if not path.exists():
        _write_secret(path, secrets.token_hex(16).encode())
    return path.read_text()


def _write_secret(path: Path, raw: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(raw)


def _certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for the loopback address, signed by itself, valid for a year."""
    cert, key = folder / "mail_cert.pem", folder / "mail_key.pem"
    if cert.exists() and key.exists():
        return cert, key
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "demo mail server")])
    now = datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address(HOST))])
    signed = (
        x509
        .CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(private, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    pem = private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    _write_secret(key, pem)
    cert.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    return cert, key


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m demo.servers", description=__doc__)
    parser.add_argument("--root", type=Path, default=Path("var/demo"))
    parser.add_argument("--mail-now", action="store_true", help="INTERNALDATE is the moment of delivery, not the Date")
    args = parser.parse_args()
    interrupted = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: interrupted.set())
    with MailServer(args.root / "mail", dates_from_header=not args.mail_now) as mail, SftpServer(args.root) as sftp:
        file = args.root / "servers.json"
        _write_secret(file, json.dumps(airflow_connections(mail, sftp), indent=1).encode())
        print(
            f"IMAP {mail.host}:{mail.imaps_port} (TLS), SMTP {mail.host}:{mail.smtp_port}, SFTP {sftp.host}:{sftp.port}"
        )
        print(f"Connections and passwords: {file}. Interrupt to stop.", flush=True)
        interrupted.wait()


if __name__ == "__main__":
    main()
