"""A real SFTP server on loopback: asyncssh over one folder, with password and key, and a host key that stays.

Run by ``demo.servers``: it ends when its standard input closes. Clients see the folder as their root and nothing
outside it; there is no shell.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from pathlib import Path

import asyncssh


class PasswordServer(asyncssh.SSHServer):
    """Lets in one user by password or by an authorized key."""

    def __init__(self, user: str, password: str) -> None:
        self._user = user
        self._password = password

    def begin_auth(self, username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == (self._user, self._password)


async def serve(options: argparse.Namespace) -> None:
    """Serves until standard input closes; prints READY once the port listens."""
    password = os.environ["DEMO_SFTP_PASSWORD"]
    folder: Path = options.folder

    async with await asyncssh.listen(
        options.host,
        options.port,
        server_factory=lambda: PasswordServer(options.user, password),
        server_host_keys=[str(options.host_key)],
        authorized_client_keys=str(options.authorized_keys),
        sftp_factory=lambda channel: asyncssh.SFTPServer(channel, chroot=os.fsencode(folder)),
        allow_scp=False,
    ):
        print("READY", flush=True)
        await asyncio.to_thread(sys.stdin.read)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m demo.sftp_server", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--user", required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--host-key", type=Path, required=True)
    parser.add_argument("--authorized-keys", type=Path, required=True)
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
