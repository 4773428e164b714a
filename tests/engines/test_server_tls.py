"""The pages travel only to a server whose certificate is trusted, unless somebody says otherwise."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hunyuan_ocr.exceptions import ConfigurationError, EngineRefusedError
from tests.engines.pictures import PROMPT, engine, options, picture
from tests.model_stub import ModelStub


def _certificate(
    name: str, key: ec.EllipticCurvePrivateKey, issuer: x509.Name, signer: ec.EllipticCurvePrivateKey, *, is_ca: bool
) -> bytes:
    now = datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509
        .CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    if is_ca:
        usage = dict.fromkeys(
            ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only"), False
        )
        builder = builder.add_extension(
            x509.KeyUsage(digital_signature=True, key_cert_sign=True, crl_sign=True, decipher_only=False, **usage),
            critical=True,
        )
    else:
        address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        builder = builder.add_extension(address, critical=False)
    return builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    """The file of an own authority, and what a server with a certificate by it speaks."""
    folder = tmp_path_factory.mktemp("tls")
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "An authority of our own")])
    ca_file, server_file = folder / "ca.pem", folder / "server.pem"
    ca_file.write_bytes(_certificate("An authority of our own", ca_key, ca_name, ca_key, is_ca=True))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    server_file.write_bytes(private + _certificate("model server", key, ca_name, ca_key, is_ca=False))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server_file)
    return ca_file, context


def test_a_certificate_of_a_named_authority_is_trusted(authority: tuple[Path, ssl.SSLContext]) -> None:
    async def run() -> None:
        stub = await ModelStub().start(tls=authority[1])
        try:
            async with engine(stub, ca_file=str(authority[0])) as it:
                assert (await it.ask(picture(1, 700_000), PROMPT)).text
        finally:
            await stub.stop()

    asyncio.run(run())


def test_one_of_nobody_we_know_is_refused_and_no_page_is_sent(authority: tuple[Path, ssl.SSLContext]) -> None:
    async def run() -> None:
        stub = await ModelStub().start(tls=authority[1])
        try:
            with pytest.raises(EngineRefusedError, match=r"certificate that is not trusted.*ca_file"):
                await engine(stub).__aenter__()
            assert stub.questions == 0
        finally:
            await stub.stop()

    asyncio.run(run())


def test_verification_can_be_switched_off_and_that_is_said(
    authority: tuple[Path, ssl.SSLContext], caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        stub = await ModelStub().start(tls=authority[1])
        try:
            async with engine(stub, verify_tls=False) as it:
                assert (await it.ask(picture(1), PROMPT)).text
        finally:
            await stub.stop()

    asyncio.run(run())
    assert "not verified" in caplog.text


def test_https_to_a_server_without_tls_is_a_setting_to_mend() -> None:
    async def run() -> None:
        async with ModelStub() as stub:
            with pytest.raises(EngineRefusedError, match="does not speak TLS"):
                await engine(stub.url.replace("http://", "https://")).__aenter__()

    asyncio.run(run())


def test_a_ca_file_that_is_missing_or_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="does not exist"):
        options("https://h", ca_file=str(tmp_path / "absent.pem"))
    (tmp_path / "note.pem").write_text("not a certificate")
    with pytest.raises(ConfigurationError, match="holds no certificate"):
        asyncio.run(engine("https://127.0.0.1:1", ca_file=str(tmp_path / "note.pem")).__aenter__())
