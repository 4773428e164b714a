"""How an OpenAI-compatible server is reached and how long its answers are waited for, checked when it is made.

Holds no connection and reads no configuration; ``openai_server`` acts on it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from hunyuan_ocr.exceptions import ConfigurationError


class Gate(StrEnum):
    """When the next picture waits for the first token of the one before, so that no two are encoded together."""

    NEVER = "never"
    WHEN_NEEDED = "when_needed"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """One or several endpoints that serve the same model, and the patience with them. Times are in seconds.

    ``base_urls`` may end in ``/v1`` or not. ``served_model`` is the name the server knows the model by; empty means
    the id of the model. ``connection`` is what error messages call the place where these options are set. Raises
    ConfigurationError for what cannot work.
    """

    base_urls: tuple[str, ...]
    served_model: str = ""
    api_key: str = field(default="", repr=False)
    #: False accepts any TLS certificate: only for a test, anybody on the way can then read the invoices.
    verify_tls: bool = True
    #: Certificates to trust instead of the system's, for a server with a certificate of an own authority.
    ca_file: str = ""
    connect_timeout: float = 10.0
    #: From the moment a question has its place to its last byte, all retries included.
    request_timeout: float = 300.0
    #: Nothing answered for so long while questions wait: the engine hangs.
    progress_timeout: float = 180.0
    startup_timeout: float = 300.0
    health_interval: float = 10.0
    #: How many questions are under way at once, over all endpoints.
    max_in_flight: int = 64
    #: How often a question is sent again after a passing fault.
    retries: int = 6
    #: The pause before the first retry is random up to this, doubled with each further one up to ``longest_pause``.
    shortest_pause: float = 0.1
    longest_pause: float = 15.0
    #: A question slower than this many times the 99th percentile of its kind is asked a second time beside the first
    #: (0: never). It costs little and frees the run from requests that hang.
    straggler_factor: float = 1.5
    #: ... but never sooner than this.
    straggler_floor: float = 1.0
    gate: Gate = Gate.NEVER
    #: Prove at the start that the server reads a page in a batch as it does alone (``engines.probe``).
    probe: bool = True
    connection: str = "the engine's connection"

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "base_urls", tuple(dict.fromkeys(_root(url, self.connection) for url in self.base_urls))
        )
        try:
            object.__setattr__(self, "gate", Gate(self.gate))
        except ValueError:
            raise ConfigurationError(
                f"[hunyuan_ocr] engine_gate must be one of {', '.join(Gate)}, not {self.gate}."
            ) from None
        if not self.base_urls:
            raise ConfigurationError(f"{self.connection} names no server: give it a base URL, http://host:8000.")
        for name in ("connect_timeout", "request_timeout", "progress_timeout", "startup_timeout", "health_interval"):
            if getattr(self, name) <= 0:
                raise ConfigurationError(f"{self.connection}: {name} must be more than 0 seconds.")
        if self.max_in_flight < 1 or self.retries < 0:
            raise ConfigurationError(f"{self.connection}: max_in_flight must be at least 1 and retries at least 0.")
        if self.ca_file and not Path(self.ca_file).is_file():
            raise ConfigurationError(f"{self.connection}: the CA file {self.ca_file} does not exist.")
        # http.client and aiohttp refuse such a header with a message that repeats the key.
        if not re.fullmatch(r"[\x21-\x7e]*", self.api_key):
            raise ConfigurationError(
                f"{self.connection}: the API key holds spaces, line breaks or letters beyond ASCII; copy it again."
            )


def _root(url: str, connection: str) -> str:
    """The address without ``/v1`` and without what does not belong there. The message never repeats the address:
    it may hold a password."""
    try:
        parts = urlsplit(url.strip())
        parts.port  # noqa: B018 - reading it is what checks it
    except ValueError:
        raise ConfigurationError(f"{connection}: a base URL cannot be read; write http://host:8000.") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError(f"{connection}: a base URL must begin with http:// or https:// and name a host.")
    if parts.username is not None or parts.query or parts.fragment:
        raise ConfigurationError(
            f"{connection}: the base URL of {parts.hostname} must not hold a user, a password or a query; the API key "
            "has its own field."
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/').removesuffix('/v1')}"
