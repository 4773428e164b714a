"""An SFTP server of asyncssh in a process of its own: ``asyncssh_sftp.py HOST_KEY AUTHORIZED_KEYS USER PASSWORD``.

Prints its port when it listens. Serves the whole file system as the user it runs as, on loopback only.
"""

from __future__ import annotations

import asyncio
import sys

import asyncssh


class _Server(asyncssh.SSHServer):
    def begin_auth(self, username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == (sys.argv[3], sys.argv[4])


async def serve() -> None:
    listener = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_factory=_Server,
        server_host_keys=[sys.argv[1]],
        authorized_client_keys=sys.argv[2],
        sftp_factory=asyncssh.SFTPServer,
    )
    print(listener.get_port(), flush=True)
    await listener.wait_closed()


asyncio.run(serve())
