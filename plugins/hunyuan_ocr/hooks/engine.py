"""The Airflow connections of the model: the servers that answer, and the Redis that remembers what they said.

Opens nothing when constructed and asks the model nothing: the Test button looks which model a server has. Neither an
API key nor a password appears in a message.
"""

from __future__ import annotations

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from airflow.sdk import BaseHook

from hunyuan_ocr.engines.cache import Cipher, RedisCache
from hunyuan_ocr.engines.server_options import ServerOptions
from hunyuan_ocr.exceptions import ConfigurationError, HunyuanOCRError
from hunyuan_ocr.hooks.connection_forms import ENGINE_CONN_TYPE
from hunyuan_ocr.hooks.extras import Extras
from hunyuan_ocr.settings import Settings

if TYPE_CHECKING:
    from hunyuan_ocr.engines.server_start import Reception

_EXTRAS = frozenset({"base_urls", "served_model", "verify", "ca_file", "connect_timeout"})
_SOFTWARE = {"vllm": "vLLM", "llama_server": "llama-server", "server": "a server that does not say what it is"}
_REDIS_TYPES = ("redis", "generic")
_REDIS_EXTRAS = ("ssl_cert_reqs", "ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_check_hostname")


class HunyuanOCRHook(BaseHook):
    """Turns a ``hunyuan_ocr`` connection into ``ServerOptions``."""

    conn_name_attr = "conn_id"
    default_conn_name = "hunyuan_ocr_default"
    conn_type = ENGINE_CONN_TYPE
    hook_name = "HunyuanOCR server"

    def __init__(self, conn_id: str = default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.conn_id = conn_id

    def get_conn(self) -> ServerOptions:
        """The options: a session with the servers belongs to the engine that opens it."""
        return self.server_options()

    def server_options(self) -> ServerOptions:
        """The connection as options. Raises ``ConfigurationError`` naming the field that is wrong."""
        connection = _connection(self.conn_id, "engine_conn_id")
        extras = Extras(self.conn_id, connection.extra_dejson, _EXTRAS)
        first = [_base_url(str(connection.host), connection.port, connection.schema)] if connection.host else []
        further = [url for url in re.split(r"[\s,]+", extras.text("base_urls")) if url]
        if not first and not further:
            raise extras.wrong("host is empty. Fill in the server's address, such as http://gpu-1.example.com:8000.")
        return ServerOptions(
            base_urls=(*first, *further),
            served_model=extras.text("served_model"),
            api_key=str(connection.password or "").strip(),
            verify_tls=extras.switch("verify", default=True),
            ca_file=extras.text("ca_file"),
            connect_timeout=extras.number("connect_timeout", 10, 0.5, 120, "seconds"),
            connection=f"connection {self.conn_id}",
        )

    def test_connection(self) -> tuple[bool, str]:
        """Ask every server which model it has: what Airflow's Test button calls. The model itself is asked nothing."""
        try:
            options = self.server_options()
            # In a thread: whoever calls may have an event loop of its own running.
            with ThreadPoolExecutor(max_workers=1) as thread:
                told = thread.submit(lambda: asyncio.run(_told_by_all(options))).result()
        except ConfigurationError as error:
            told = [(False, str(error))]
        # Airflow's form tests under a name made up for the occasion.
        sentences = "\n".join(sentence for _, sentence in told)
        return all(is_right for is_right, _ in told), sentences.replace(f"connection {self.conn_id}", "this connection")


def redis_url(conn_id: str) -> str:
    """The address of the Redis behind a connection (type Redis or Generic), password included: never log it.

    Of the extras ``db``, ``ssl`` and the ``ssl_…`` ones of Airflow's Redis connection count.

    :raises ConfigurationError: the connection does not exist, is of another type or names no host.
    """
    connection = _connection(conn_id, "answer_cache_conn_id")
    extra = connection.extra_dejson
    if connection.conn_type not in _REDIS_TYPES:
        raise ConfigurationError(
            f"connection {conn_id} is of type {connection.conn_type}: answers are cached in a Redis only. Use a "
            f"connection of type {' or '.join(_REDIS_TYPES)}."
        )
    if not connection.host:
        raise ConfigurationError(f"connection {conn_id}: host is empty. Fill in the Redis server's name.")
    database = extra.get("db", connection.schema) or 0
    if not str(database).isdecimal():
        raise ConfigurationError(
            f"connection {conn_id}: db is {database!r}. Use the number of a Redis database, from 0."
        )
    is_tls = str(extra.get("ssl", False)).strip().lower() == "true"
    password = f":{quote(connection.password, safe='')}" if connection.password else ""
    user = quote(connection.login or "", safe="") + password
    host = f"[{connection.host}]" if ":" in connection.host else connection.host
    options = {name: str(extra[name]) for name in _REDIS_EXTRAS if is_tls and extra.get(name) is not None}
    return (
        f"redis{'s' if is_tls else ''}://{f'{user}@' if user else ''}{host}:{connection.port or 6379}/{database}"
        f"{f'?{urlencode(options)}' if options else ''}"
    )


def open_redis_cache(conn_id: str, ttl_days: float) -> RedisCache:
    """The cache of answers in the Redis behind a connection; close it with ``aclose``.

    Answers are what stands on invoices: where Airflow has a Fernet key ([core] fernet_key, the same on all workers),
    Redis holds them encrypted. Workers with different keys do not understand each other's answers, and ask again.

    :raises ConfigurationError: as ``redis_url``; the extra ``redis`` is not installed; the Fernet key is none.
    """
    return RedisCache(redis_url(conn_id), ttl_days, cipher=_airflow_cipher())


def _airflow_cipher() -> Cipher | None:
    from airflow.sdk.configuration import conf

    keys = [key.strip() for key in str(conf.get("core", "fernet_key", fallback="")).split(",") if key.strip()]
    # Where nobody set a key and there is no airflow.cfg, the task SDK hands out its template's placeholder.
    if not keys or keys == ["{FERNET_KEY}"]:
        return None
    from cryptography.fernet import Fernet, MultiFernet

    try:
        return MultiFernet([Fernet(key) for key in keys])
    except ValueError:
        raise ConfigurationError(
            "[core] fernet_key is not a Fernet key; Airflow's documentation says how to make one."
        ) from None


def _connection(conn_id: str, setting: str) -> Any:
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        return BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        raise ConfigurationError(
            f"Connection {conn_id} does not exist. Create it in Airflow (Admin > Connections), or name another one in "
            f"[hunyuan_ocr] {setting}."
        ) from None


def _base_url(host: str, port: int | None, schema: str | None) -> str:
    """The address that host, port and schema name; a host that is an address already stays as it is."""
    host = host.strip()
    if "://" in host:
        return host
    scheme = (schema or "http").strip().lower()
    return f"{scheme}://{host}:{port or (443 if scheme == 'https' else 8000)}"


async def _told_by_all(options: ServerOptions) -> list[tuple[bool, str]]:
    """For each server whether it will do, and a sentence about it."""
    from hunyuan_ocr.engines.server_request import open_session
    from hunyuan_ocr.engines.server_start import Reception

    async with open_session(options) as session:
        reception = Reception(session, options, Settings.load().model_spec)
        return await asyncio.gather(*(_told(reception, url) for url in options.base_urls))


async def _told(reception: Reception, url: str) -> tuple[bool, str]:
    try:
        served = await reception.served(url, url.partition("://")[2])
    except HunyuanOCRError as error:
        return False, str(error)
    software, _, version = served.runtime.partition(",")[0].partition("=")
    runtime = f"{_SOFTWARE.get(software, software)} {version}".strip()
    tokens = f", up to {served.max_tokens} tokens" if served.max_tokens else ""
    return True, f"{url} serves {reception.served_model}, {runtime}{tokens}."
