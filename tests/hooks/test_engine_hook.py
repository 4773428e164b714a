"""The connections of the model's servers and of the answer cache: forms, checked options, a Test button that tells."""

from __future__ import annotations

import asyncio
import importlib
import importlib.resources
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from hunyuan_ocr.engines.base import Answer, FinishReason
from hunyuan_ocr.exceptions import ConfigurationError
from hunyuan_ocr.hooks.connection_forms import connection_types
from hunyuan_ocr.hooks.engine import HunyuanOCRHook, open_redis_cache, redis_url
from tests.engines.redis_server import PASSWORD, RedisServer, free_port

KEY = "korrekt-pferd-batterie"
MODEL = "tencent/HunyuanOCR"
Connect = Callable[..., None]


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> Connect:
    def build(name: str = "hunyuan_ocr_default", **changes: object) -> None:
        conn = {"conn_type": "hunyuan_ocr", "host": "gpu-1.example", "password": KEY}
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(conn | changes))

    return build


@contextmanager
def model_server(
    *, model: str = MODEL, version: str | None = "0.33.0", tls: ssl.SSLContext | None = None, **pages: tuple[int, str]
) -> Iterator[int]:
    """The pages of vLLM (or with ``version=None`` of a server that is none) that need no model; its port.

    ``pages`` puts other answers in their place: ``models=(503, "…")``.
    """
    from aiohttp import web

    async def answer(request: web.Request) -> web.Response:
        name = request.path.rsplit("/", 1)[-1]
        if name in pages:
            status, text = pages[name]
            return web.Response(status=status, text=text)
        if name == "version" and version:
            return web.json_response({"version": version})
        if name == "models":
            if request.headers.get("Authorization") != f"Bearer {KEY}":
                return web.json_response({"error": f"not {request.headers.get('Authorization')}"}, status=401)
            return web.json_response({"data": [{"id": model, "max_model_len": 16384}]})
        return web.Response(status=404)

    loop, port = asyncio.new_event_loop(), free_port()
    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app)
    loop.run_until_complete(runner.setup())
    loop.run_until_complete(web.TCPSite(runner, "127.0.0.1", port, ssl_context=tls).start())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield port
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(timeout=10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate for 127.0.0.1 that no authority knows, and a server's context with it."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(datetime.now(UTC) - timedelta(days=1))
    builder = builder.not_valid_after(datetime.now(UTC) + timedelta(days=1))
    address = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    signed = builder.add_extension(address, critical=False).sign(key, hashes.SHA256())
    pem, private = tmp_path / "ca.pem", tmp_path / "key.pem"
    pem.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, private)
    return pem, context


def pressed() -> tuple[bool, str]:
    """What the Test button shows, which is never the key."""
    worked, message = HunyuanOCRHook().test_connection()
    assert KEY not in message
    return worked, message


# --- the form ------------------------------------------------------------------------------------------------------


def test_the_form_is_valid_provider_info_and_names_our_hook() -> None:
    import jsonschema

    schema = json.loads(importlib.resources.files("airflow").joinpath("provider_info.schema.json").read_text())
    forms = connection_types()
    jsonschema.validate(
        {"name": "x", "description": "x", "package-name": "x", "versions": ["1"], "connection-types": forms}, schema
    )
    for form in forms:
        module, _, name = form["hook-class-name"].rpartition(".")
        hook = getattr(importlib.import_module(module), name)
        assert (hook.conn_type, hook.hook_name) == (form["connection-type"], form["hook-name"])


def test_the_form_left_as_it_is_gives_the_defaults(connection: Connect) -> None:
    form = next(each for each in connection_types() if each["connection-type"] == "hunyuan_ocr")
    connection(extra={name: field["schema"]["default"] for name, field in form["conn-fields"].items()})
    options = HunyuanOCRHook().server_options()
    assert options.base_urls == ("http://gpu-1.example:8000",)
    assert (options.served_model, options.verify_tls, options.ca_file, options.connect_timeout) == ("", True, "", 10)
    assert options.api_key == KEY
    assert KEY not in repr(options)


def test_nothing_is_opened_when_the_hook_is_made() -> None:
    HunyuanOCRHook("no_such_connection")


# --- options -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "urls"),
    [
        ({"host": "gpu", "port": 9000}, ["http://gpu:9000"]),
        ({"host": "gpu", "schema": "https"}, ["https://gpu:443"]),
        ({"host": "http://gpu:8000/v1/"}, ["http://gpu:8000"]),
        ({"host": "https://models.example/ocr/v1", "port": 9000}, ["https://models.example/ocr"]),
        (
            {"host": "gpu-1", "extra": {"base_urls": "http://gpu-2:8000/v1, http://gpu-3:8000\nhttp://gpu-1:8000"}},
            ["http://gpu-1:8000", "http://gpu-2:8000", "http://gpu-3:8000"],
        ),
        ({"host": None, "extra": {"base_urls": "http://gpu-2:8000"}}, ["http://gpu-2:8000"]),
    ],
)
def test_servers_are_named_by_host_and_port_or_by_address(
    connection: Connect, fields: dict[str, Any], urls: list[str]
) -> None:
    connection(**fields)
    assert list(HunyuanOCRHook().server_options().base_urls) == urls


def test_options_given_as_texts_mean_what_they_say(connection: Connect) -> None:
    connection(extra={"verify": "false", "connect_timeout": "2.5", "served_model": " ocr "}, password=f" {KEY}\n")
    options = HunyuanOCRHook().server_options()
    assert (options.verify_tls, options.connect_timeout, options.served_model) == (False, 2.5, "ocr")
    assert options.api_key == KEY


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"host": ""}, "host is empty"),
        ({"schema": "ftp"}, "must begin with http:// or https://"),
        ({"host": f"http://me:{KEY}@gpu:8000"}, "must not hold a user, a password"),
        ({"password": f"{KEY} {KEY}"}, "the API key holds spaces"),
        ({"extra": {"verify": "no"}}, "verify is 'no'. Use true or false"),
        ({"extra": {"connect_timeout": "soon"}}, "connect_timeout is 'soon'. Use seconds between 0.5 and 120"),
        ({"extra": {"ca_file": "/no/such.pem"}}, "the CA file /no/such.pem does not exist"),
        ({"extra": {"model": "x"}}, "extra key 'model' is not known"),
    ],
)
def test_a_wrong_field_is_named_with_its_remedy(connection: Connect, changes: dict[str, Any], complaint: str) -> None:
    connection(**changes)
    with pytest.raises(ConfigurationError, match="connection hunyuan_ocr_default: ") as refusal:
        HunyuanOCRHook().server_options()
    assert complaint in str(refusal.value)
    assert KEY not in str(refusal.value)
    worked, message = pressed()
    assert not worked
    assert complaint in message


def test_a_connection_that_does_not_exist_is_a_matter_of_configuration() -> None:
    with pytest.raises(ConfigurationError, match=r"Connection nobody does not exist.*engine_conn_id"):
        HunyuanOCRHook("nobody").server_options()


# --- the Test button -----------------------------------------------------------------------------------------------


def test_it_tells_which_model_and_which_vllm_a_server_has(connection: Connect) -> None:
    with model_server() as port:
        connection(host="127.0.0.1", port=port)
        assert pressed() == (True, f"http://127.0.0.1:{port} serves {MODEL}, vLLM 0.33.0, up to 16384 tokens.")


def test_a_llama_server_and_one_that_does_not_say_what_it_is_will_do(connection: Connect) -> None:
    properties = json.dumps({"build_info": "b10621-c1d0e7a00", "modalities": {"vision": True}, "model_path": "/x.gguf"})
    with model_server(version=None, props=(200, properties)) as one, model_server(version=None) as other:
        connection(host="127.0.0.1", port=one)
        assert pressed() == (True, f"http://127.0.0.1:{one} serves {MODEL}, llama-server b10621-c1d0e7a00.")
        connection(host="127.0.0.1", port=other)
        worked, message = pressed()
        assert worked
        assert f"serves {MODEL}, a server that does not say what it is" in message


def test_it_may_be_pressed_where_an_event_loop_runs(connection: Connect) -> None:
    async def press() -> tuple[bool, str]:
        return pressed()

    with model_server() as port:
        connection(host="127.0.0.1", port=port)
        assert asyncio.run(press())[0]


def test_a_wrong_or_missing_key_is_said_to_be_that(connection: Connect) -> None:
    with model_server() as port:
        for password in ("another-key", None):
            connection(host="127.0.0.1", port=port, password=password)
            worked, message = pressed()
            assert not worked
            assert "refused the API key (status 401). Set the password of this connection" in message
            assert "another-key" not in message


def test_a_model_of_another_name_is_named(connection: Connect) -> None:
    with model_server(model="ocr") as port:
        connection(host="127.0.0.1", port=port)
        worked, message = pressed()
        assert not worked
        assert f"does not serve {MODEL}; it serves: ocr. Set the served model name of this connection" in message
        connection(host="127.0.0.1", port=port, extra={"served_model": "ocr"})
        assert pressed()[0]


def test_a_vllm_known_to_be_broken_is_refused(connection: Connect) -> None:
    with model_server(version="0.11.0") as port:
        connection(host="127.0.0.1", port=port)
        worked, message = pressed()
    assert not worked
    assert "0.11.0" in message


def test_a_server_that_is_still_starting_is_not_taken_for_a_wrong_one(connection: Connect) -> None:
    with model_server(version=None, models=(503, "Loading model")) as port:
        connection(host="127.0.0.1", port=port)
        worked, message = pressed()
    assert not worked
    assert "answered with status 503" in message


def test_another_program_at_that_address_is_recognised(connection: Connect) -> None:
    with model_server(version=None, models=(404, "<h1>Not found</h1>")) as port:
        connection(host="127.0.0.1", port=port)
        worked, message = pressed()
    assert not worked
    assert "status 404" in message


def test_a_server_that_is_not_there_is_named_with_what_to_check(connection: Connect) -> None:
    port = free_port()
    connection(host="127.0.0.1", port=port)
    worked, message = pressed()
    assert not worked
    assert message.startswith(f"Engine server 127.0.0.1:{port} cannot be reached")
    assert "Check that it runs and that the address in this connection is right." in message


def test_every_server_is_asked_and_one_that_fails_spoils_it(connection: Connect) -> None:
    with model_server() as one, model_server(model="another") as two:
        connection(host="127.0.0.1", port=one, extra={"base_urls": f"http://127.0.0.1:{two}/v1"})
        worked, message = pressed()
    assert not worked
    first, second = message.splitlines()
    assert first.startswith(f"http://127.0.0.1:{one} serves {MODEL}")
    assert f"127.0.0.1:{two} does not serve {MODEL}" in second


def test_a_certificate_of_an_own_authority_is_trusted_only_when_told(
    connection: Connect, certificate: tuple[Path, ssl.SSLContext]
) -> None:
    authority, context = certificate
    with model_server(tls=context) as port:
        address: dict[str, Any] = {"host": "127.0.0.1", "port": port, "schema": "https"}
        connection(**address)
        worked, message = pressed()
        assert not worked
        assert "TLS certificate that is not trusted" in message
        connection(**address, extra={"ca_file": str(authority)})
        assert pressed()[0]
        connection(**address, extra={"verify": False})
        assert pressed()[0]


def test_https_where_http_is_spoken_and_the_other_way_round_is_said(
    connection: Connect, certificate: tuple[Path, ssl.SSLContext], tmp_path: Path
) -> None:
    with model_server() as port:
        connection(host="127.0.0.1", port=port, schema="https")
        worked, message = pressed()
        assert not worked
        assert "does not speak TLS" in message
    with model_server(tls=certificate[1]) as port:
        connection(host="127.0.0.1", port=port)
        assert not pressed()[0]
    no_certificate = tmp_path / "empty.pem"
    no_certificate.write_text("")
    connection(schema="https", extra={"ca_file": str(no_certificate)})
    worked, message = pressed()
    assert not worked
    assert message.startswith(f"this connection: the CA file {no_certificate} holds no certificate")


# --- the Redis of the answer cache ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "url"),
    [
        ({"host": "redis"}, "redis://redis:6379/0"),
        ({"host": "redis", "port": 6380, "schema": "2"}, "redis://redis:6380/2"),
        ({"host": "redis", "extra": {"db": 3}, "schema": "2"}, "redis://redis:6379/3"),
        ({"host": "::1", "conn_type": "generic"}, "redis://[::1]:6379/0"),
        ({"host": "redis", "login": "ocr", "password": "p@:/?#"}, "redis://ocr:p%40%3A%2F%3F%23@redis:6379/0"),
        ({"host": "redis", "extra": {"ssl": "false", "ssl_ca_certs": "/ca.pem"}}, "redis://redis:6379/0"),
        (
            {"host": "redis", "extra": {"ssl": True, "ssl_ca_certs": "/a b.pem", "ssl_check_hostname": False}},
            "rediss://redis:6379/0?ssl_ca_certs=%2Fa+b.pem&ssl_check_hostname=False",
        ),
    ],
)
def test_a_redis_connection_becomes_an_address(connection: Connect, fields: dict[str, Any], url: str) -> None:
    from redis.asyncio.connection import parse_url

    connection("answers", **({"conn_type": "redis", "password": None} | fields))
    assert redis_url("answers") == url
    understood = parse_url(url)
    assert understood.get("password") == fields.get("password")
    assert understood["host"] == fields["host"]
    assert unquote(urlsplit(url).username or "") == fields.get("login", "")


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"conn_type": "postgres"}, "is of type postgres"),
        ({"host": ""}, "host is empty"),
        ({"extra": {"db": "answers"}}, "db is 'answers'"),
    ],
)
def test_a_redis_connection_that_will_not_do_is_refused(
    connection: Connect, fields: dict[str, Any], complaint: str
) -> None:
    connection("answers", **({"conn_type": "redis", "host": "redis"} | fields))
    with pytest.raises(ConfigurationError, match="connection answers") as refusal:
        redis_url("answers")
    assert complaint in str(refusal.value)
    assert KEY not in str(refusal.value)


@pytest.mark.real_server
def test_answers_in_redis_are_sealed_with_airflows_key(
    connection: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import redis
    from cryptography.fernet import Fernet

    server = RedisServer(tmp_path)
    server.start()
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", Fernet.generate_key().decode())
    connection("answers", conn_type="redis", host="127.0.0.1", port=server.port, password=PASSWORD, schema="4")

    async def put_and_get() -> Answer | None:
        async with open_redis_cache("answers", 1) as cache:
            await cache.put("k" * 64, Answer("购方: 张三", FinishReason.STOP))
        async with open_redis_cache("answers", 1) as cache:
            return await cache.get("k" * 64)

    try:
        # A busy machine may let the half second pass that Redis is waited for.
        found = next((answer for answer in (asyncio.run(put_and_get()) for _ in range(20)) if answer), None)
        assert found == Answer("购方: 张三", FinishReason.STOP, is_cached=True)
        with redis.Redis.from_url(redis_url("answers")) as client:
            assert "张三" not in client.get(f"hunyuan_ocr:answer:{'k' * 64}").decode()
    finally:
        server.kill()


def test_a_key_that_is_none_is_refused_without_being_shown(
    connection: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", "geheim")
    connection("answers", conn_type="redis", host="redis")
    with pytest.raises(ConfigurationError, match="fernet_key") as refusal:
        open_redis_cache("answers", 1)
    assert "geheim" not in str(refusal.value)
