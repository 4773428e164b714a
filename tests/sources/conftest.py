"""Real servers on loopback, one process each per session: mail-devel, Dovecot, asyncssh, OpenSSH."""

from __future__ import annotations

import base64
import getpass
import imaplib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import pytest

from hunyuan_ocr.sources.imap_session import MailboxSettings
from tests.sources.tokens import TOKEN_KEY

HERE = Path(__file__).resolve().parent
PASSWORD = "korrekt-horse-battery"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_listening(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(150):
        if process.poll() is not None:
            break
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    pytest.fail(f"the server on port {port} did not start:\n{log.read_text(errors='replace')[-2000:]}")


def stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@pytest.fixture(scope="session")
def server_home() -> Iterator[Path]:
    """A folder with a short path (Unix sockets) that other users may enter (Dovecot drops root)."""
    folder = Path(tempfile.mkdtemp(prefix="hocr_"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def certificate(server_home: Path) -> tuple[Path, Path]:
    """A certificate for localhost that only its own file vouches for, and its key."""
    cert, key = server_home / "cert.pem", server_home / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", cert],
        check=True, capture_output=True,
    )  # fmt: skip
    return cert, key


@dataclass
class ImapServer:
    """A running IMAP server; every test gets a mailbox of its own."""

    name: str
    port: int
    tls_port: int | None
    certificate: Path
    users: int = 0

    def new_mailbox(self) -> Mailbox:
        self.users += 1
        user = f"invoices{self.users}@buyer.example"
        return Mailbox(
            self, MailboxSettings(host="localhost", port=self.port, user=user, password=PASSWORD, security="none")
        )


@dataclass
class Mailbox:
    """A mailbox as a person with another mail program sees it."""

    server: ImapServer
    settings: MailboxSettings
    client: imaplib.IMAP4 = field(init=False)

    def __post_init__(self) -> None:
        self.client = imaplib.IMAP4("localhost", self.server.port)
        self.client.login(self.settings.user, PASSWORD)

    def with_settings(self, **changes: object) -> MailboxSettings:
        return replace(self.settings, **changes)  # type: ignore[arg-type]

    def deliver(self, raw: bytes, at: datetime, *flags: str) -> None:
        status, answer = self.client.append("INBOX", f"({' '.join(flags)})", at.timestamp(), raw)
        assert status == "OK", answer

    def flags(self, folder: str = "INBOX") -> list[set[str]]:
        self.client.select(folder, readonly=True)
        _, answer = self.client.fetch("1:*", "(FLAGS)")
        return [{flag.decode() for flag in imaplib.ParseFlags(line)} for line in answer if isinstance(line, bytes)]

    def count(self, folder: str) -> int:
        status, answer = self.client.select(folder, readonly=True)
        return int(answer[0] or 0) if status == "OK" else 0


def _mail_devel(home: Path, certificate: tuple[Path, Path]) -> Iterator[ImapServer]:
    port, smtp_port, smtps_port = free_port(), free_port(), free_port()
    log = home / "mail-devel.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "mail_devel", "--host", "127.0.0.1", "--user", "main@buyer.example", "--multi-user",
             "--password", PASSWORD, "--imap-port", str(port), "--smtp-port", str(smtp_port), "--smtps-port",
             str(smtps_port), "--no-http", "--cert", str(certificate[0]), "--key", str(certificate[1])],
            stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        wait_until_listening(port, process, log)
        yield ImapServer("mail-devel", port, None, certificate[0])
    finally:
        stop(process)


def _dovecot(home: Path, certificate: tuple[Path, Path]) -> Iterator[ImapServer]:
    binary = shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if binary is None:
        pytest.skip("Dovecot is not installed (Debian: apt-get install dovecot-imapd)")
    port, tls_port = free_port(), free_port()
    folder = home / "dovecot"
    mail_folder, passwords = folder / "mail", folder / "passwords"
    mail_folder.mkdir(parents=True)
    passwords.write_text("".join(f"invoices{number}@buyer.example:{{PLAIN}}{PASSWORD}\n" for number in range(1, 300)))
    is_root = os.geteuid() == 0
    owner = "nobody" if is_root else getpass.getuser()
    if is_root:
        shutil.chown(mail_folder, owner, "nogroup")
    internal = "" if is_root else f"default_internal_user = {owner}\ndefault_login_user = {owner}\n"
    key = folder / "tokens" / "default" / "HS256" / "default"
    key.parent.mkdir(parents=True)
    key.write_bytes(base64.b64encode(TOKEN_KEY))
    (folder / "oauth2.conf").write_text(
        f"introspection_mode = local\nlocal_validation_key_dict = fs:posix:prefix={folder}/tokens/\n"
        "username_attribute = email\n"
    )
    config = folder / "dovecot.conf"
    config.write_text(
        f"""{internal}base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols = imap
listen = 127.0.0.1
first_valid_uid = 1
ssl = yes
ssl_cert = <{certificate[0]}
ssl_key = <{certificate[1]}
disable_plaintext_auth = no
auth_username_chars =
mail_location = maildir:{mail_folder}/%u
auth_mechanisms = plain xoauth2
passdb {{
  driver = oauth2
  mechanisms = xoauth2
  args = {folder}/oauth2.conf
}}
passdb {{
  driver = passwd-file
  args = {passwords}
}}
userdb {{
  driver = static
  args = uid={owner} home={mail_folder}/%u {"gid=nogroup" if is_root else ""}
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
"""
    )

    output = (folder / "out").open("wb")
    process = subprocess.Popen([binary, "-F", "-c", str(config)], stdout=output, stderr=subprocess.STDOUT)
    try:
        wait_until_listening(port, process, folder / "out")
        yield ImapServer("dovecot", port, tls_port, certificate[0])
    finally:
        stop(process)
        output.close()


@pytest.fixture(scope="session")
def mail_devel_server(server_home: Path, certificate: tuple[Path, Path]) -> Iterator[ImapServer]:
    yield from _mail_devel(server_home, certificate)


@pytest.fixture(scope="session")
def dovecot_server(server_home: Path, certificate: tuple[Path, Path]) -> Iterator[ImapServer]:
    yield from _dovecot(server_home, certificate)


@pytest.fixture(params=["mail_devel_server", pytest.param("dovecot_server", marks=pytest.mark.real_server)])
def mailbox(request: pytest.FixtureRequest) -> Mailbox:
    """An empty mailbox, once on each kind of server."""
    server: ImapServer = request.getfixturevalue(request.param)
    return server.new_mailbox()


@dataclass(frozen=True)
class SftpServer:
    """A running SFTP server and what a client must know to reach it."""

    name: str
    port: int
    host_key: str
    private_key: str
    user: str

    def connection(self, **extra: object) -> dict[str, object]:
        """An Airflow connection as JSON, logging in with the key."""
        return {
            "conn_type": "sftp", "host": "127.0.0.1", "port": self.port, "login": self.user,
            "extra": {"host_key": self.host_key, "private_key": self.private_key, "look_for_keys": "false"} | extra,
        }  # fmt: skip


@pytest.fixture(scope="session")
def ssh_keys(server_home: Path) -> Path:
    folder = server_home / "keys"
    folder.mkdir()
    for name in ("host", "client", "other"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(folder / name)], check=True
        )
    shutil.copy(folder / "client.pub", folder / "authorized_keys")
    return folder


def _sftp_server(name: str, port: int, user: str, keys: Path) -> SftpServer:
    host_key = " ".join((keys / "host.pub").read_text().split()[:2])
    return SftpServer(name, port, host_key, (keys / "client").read_text(), user)


def _asyncssh(keys: Path) -> Iterator[SftpServer]:
    process = subprocess.Popen(
        [sys.executable, str(HERE / "servers" / "asyncssh_sftp.py"), str(keys / "host"), str(keys / "authorized_keys"),
         "supplier", PASSWORD],
        stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        yield _sftp_server("asyncssh", port, "supplier", keys)
    finally:
        stop(process)


def _openssh(home: Path, keys: Path) -> Iterator[SftpServer]:
    binary = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if binary is None:
        pytest.skip("OpenSSH's sshd is not installed (Debian: apt-get install openssh-server)")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd drops its privileges into it
    port = free_port()
    config, log = home / "sshd_config", home / "sshd.log"
    config.write_text(
        f"""Port {port}
ListenAddress 127.0.0.1
HostKey {keys}/host
PidFile none
AuthorizedKeysFile {keys}/authorized_keys
PasswordAuthentication yes
KbdInteractiveAuthentication no
PermitRootLogin yes
StrictModes no
UsePAM no
Subsystem sftp internal-sftp
"""
    )
    with log.open("wb") as output:
        process = subprocess.Popen([binary, "-D", "-e", "-f", str(config)], stdout=output, stderr=subprocess.STDOUT)
    try:
        wait_until_listening(port, process, log)
        yield _sftp_server("openssh", port, getpass.getuser(), keys)
    finally:
        stop(process)


@pytest.fixture(scope="session")
def asyncssh_server(ssh_keys: Path) -> Iterator[SftpServer]:
    yield from _asyncssh(ssh_keys)


@pytest.fixture(scope="session")
def openssh_server(server_home: Path, ssh_keys: Path) -> Iterator[SftpServer]:
    yield from _openssh(server_home, ssh_keys)


@pytest.fixture(params=["asyncssh_server", pytest.param("openssh_server", marks=pytest.mark.real_server)])
def sftp_server(request: pytest.FixtureRequest) -> SftpServer:
    server: SftpServer = request.getfixturevalue(request.param)
    return server
