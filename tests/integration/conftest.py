"""Servers from Debian for the tests of whole runs: those of the sources' and the staging tables' own tests."""

from tests.sources.conftest import certificate, dovecot_server, openssh_server, server_home, ssh_keys

__all__ = ["certificate", "dovecot_server", "openssh_server", "server_home", "ssh_keys"]
