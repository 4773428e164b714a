"""Everything that could be an invoice comes out of a mail or an archive, and everything else is accounted for."""

from __future__ import annotations

import base64
import binascii
import io
import quopri
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hunyuan_ocr.exceptions import (
    CorruptDocumentError,
    EmptyDocumentError,
    EncryptedDocumentError,
    LimitExceededError,
    UnsupportedDocumentError,
)
from hunyuan_ocr.model.documents import DocumentRole
from hunyuan_ocr.sources.unpack import ITSELF, UnpackedDocument, UnpackLimits, unpack
from tests.sources import mails
from tests.sources.mails import attachment, mail, pdf, png, zipped

PRIMARY, IGNORED = DocumentRole.PRIMARY, DocumentRole.IGNORED


def of_mail(raw: bytes, **options) -> list[UnpackedDocument]:
    return unpack(raw, file_name="mail-1.eml", is_mail=True, **options)


def of_file(raw: bytes, name: str = "upload.zip", **options) -> list[UnpackedDocument]:
    return unpack(raw, file_name=name, is_mail=False, **options)


def primary(documents: list[UnpackedDocument]) -> list[tuple[str, bytes]]:
    return [(document.part_path, document.raw) for document in documents if document.role is PRIMARY]


def attached(content: bytes, name: str, kind: str = "application/octet-stream") -> bytes:
    return attachment(content, disposition=f'attachment; filename="{name}"'.encode(), content_type=kind.encode())


class TestMails:
    @pytest.mark.parametrize(
        ("raw", "expected"),
        [
            (mails.octet_stream_mail(), [("2/invoice.dat", pdf("octets"))]),
            (mails.inline_pdf_mail(), [("2/invoice.pdf", pdf("inline"))]),
            (mails.undisposed_pdf_mail(), [("2/invoice.pdf", pdf("undisposed"))]),
            (mails.gbk_mail(), [("2/增值税发票.pdf", pdf("gbk"))]),
            (mails.nested_mail(), [("2/message.eml/2/invoice.pdf", pdf("inline"))]),
            (
                mails.zip_mail(),
                [("2/invoices.zip/2026/a.pdf", pdf("zip a")), ("2/invoices.zip/2026/b.pdf", pdf("zip b"))],
            ),
            (mail(attached(pdf("x"), "scan.txt", "text/plain")), [("2/scan.txt", pdf("x"))]),
            (mail(attached(mails.zip_mail(), "fwd.eml")), None),
        ],
    )
    def test_content_decides_whatever_a_part_claims_to_be(self, raw, expected):
        documents = of_mail(raw)
        if expected is None:
            expected = [(f"2/fwd.eml/{path}", content) for path, content in primary(of_mail(mails.zip_mail()))]
        assert primary(documents) == expected
        assert not any(document.problem for document in documents)
        assert all(document.reason for document in documents if document.role is IGNORED)

    @pytest.mark.parametrize("encoding", ["base64", "quoted-printable"])
    def test_a_mail_attached_in_an_encoding_the_standard_forbids(self, encoding):
        inner = mails.inline_pdf_mail()
        packed = base64.encodebytes(inner) if encoding == "base64" else quopri.encodestring(inner)
        raw = b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: " + encoding.encode() + b"\r\n\r\n" + packed
        assert [content for _, content in primary(of_mail(mail(raw, boundary=b"outer")))] == [pdf("inline")]

    @pytest.mark.parametrize(
        ("disposition", "name"),
        [
            (b'attachment; filename="=?gbk?B?' + base64.b64encode("发票.pdf".encode("gbk")) + b'?="', "发票.pdf"),
            (b"attachment; filename*=gb18030''" + b"%B7%A2%C6%B1.pdf", "发票.pdf"),
            (b"attachment; filename*0*=utf-8''%E5%8F%91; filename*1*=%E7%A5%A8.pdf", "发票.pdf"),
            (b"attachment; filename*=nonsense''%E5%8F%91%E7%A5%A8.pdf", "发票.pdf"),
            ("attachment; filename=发票 一.pdf".encode(), "发票 一.pdf"),
            (b'attachment; filename="../../etc/passwd.pdf"', ".._.._etc_passwd.pdf"),
            (b'attachment; filename="a\x00b\r\n c.pdf"', "ab c.pdf"),
            (b"attachment; filename=", "part-2.pdf"),
        ],
    )
    def test_names_are_decoded_however_they_are_written(self, disposition, name):
        raw = mail(attachment(pdf("n"), disposition=disposition, content_type=b"application/pdf"))
        (document,) = [document for document in of_mail(raw) if document.role is PRIMARY]
        assert document.file_name == name
        assert document.part_path == f"2/{name}"

    def test_a_character_cut_in_two_between_encoded_words_is_whole_again(self):
        raw_name = "增值税电子发票.pdf".encode("gb18030")
        words = [b"=?GB2312?B?" + base64.b64encode(piece) + b"?=" for piece in (raw_name[:5], raw_name[5:])]
        disposition = b'attachment; filename="' + b"\r\n ".join(words) + b'"'
        raw = mail(attachment(pdf("n"), disposition=disposition, content_type=b"application/pdf"))
        assert [document.file_name for document in of_mail(raw) if document.role is PRIMARY] == ["增值税电子发票.pdf"]

    def test_a_wrong_boundary_is_read_from_the_body(self):
        raw = mails.plain_pdf_mail("b").replace(b'boundary="frontier"', b'boundary="elsewhere"')
        assert [content for _, content in primary(of_mail(raw))] == [pdf("b")]

    def test_a_uuencoded_file_in_the_text_is_an_attachment(self):
        content = pdf("uu") * 5
        lines = [binascii.b2a_uu(content[at : at + 45]) for at in range(0, len(content), 45)]
        body = b"See below.\r\nbegin 644 invoice.pdf\r\n" + b"".join(lines).replace(b"\n", b"\r\n") + b"`\r\nend\r\n"
        assert primary(of_mail(mail(body=body))) == [("1.uu1/invoice.pdf", content)]

    def test_text_signatures_calendars_and_cards_are_ignored_with_a_reason(self):
        raw = mail(
            attached(pdf("a"), "a.pdf"),
            attached(b"BEGIN:VCALENDAR\r\nEND:VCALENDAR", "meeting.ics"),
            attached(b"BEGIN:VCARD\r\nEND:VCARD", "me.vcf"),
            attached(b"0\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02", "smime.p7s", "application/pkcs7-signature"),
            b"Content-Type: text/html\r\n\r\n<html><body>Regards</body></html>\r\n",
        )
        assert [document.reason for document in of_mail(raw)] == [
            "the text of the mail",
            "",
            "a calendar entry",
            "a business card",
            "a digital signature",
            "the text of the mail",
        ]

    def test_logos_are_ignored_beside_an_invoice_and_pages_are_not(self):
        logo = attached(png(300, 120), "logo.png")
        page = attached(png(1240, 1754), "scan.png")
        rule = attached(png(600, 2), "rule.png")
        roles = {document.file_name: document.role for document in of_mail(mail(logo, page, rule))}
        assert (roles["logo.png"], roles["scan.png"], roles["rule.png"]) == (IGNORED, PRIMARY, IGNORED)
        alone = {document.file_name: document.role for document in of_mail(mail(logo, rule))}
        assert (alone["logo.png"], alone["rule.png"]) == (PRIMARY, IGNORED)

    @pytest.mark.parametrize("raw", [mail(), mail(attached(b"just words", "note.txt")), b"", b"\x00\xff garbage"])
    def test_a_mail_without_anything_usable_is_itself_the_document(self, raw):
        first, *others = of_mail(raw)
        assert (first.part_path, first.raw, first.role) == (ITSELF, raw, PRIMARY)
        expected = EmptyDocumentError if not raw else UnsupportedDocumentError
        assert isinstance(first.problem, expected)
        assert all(document.role is IGNORED for document in others)

    @pytest.mark.parametrize(
        ("content", "name", "problem"),
        [
            (b"", "invoice.pdf", EmptyDocumentError),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "__properties_version1.0".encode("utf-16-le"), "fwd.msg", None),
            (b"Rar!\x1a\x07\x00rest", "invoices.rar", None),
            (b"-----BEGIN PGP MESSAGE-----\n", "invoice.pdf.asc", EncryptedDocumentError),
        ],
    )
    def test_what_cannot_be_opened_stays_visible_beside_other_documents(self, content, name, problem):
        documents = of_mail(mail(attached(pdf("good"), "good.pdf"), attached(content, name)))
        good, bad = [document for document in documents if document.role is PRIMARY]
        assert (good.problem, bad.file_name, bad.raw) == (None, name, content)
        assert isinstance(bad.problem, problem or UnsupportedDocumentError)
        assert bad.problem.document == name

    def test_office_files_are_a_problem_alone_and_ignored_beside_a_pdf(self):
        word = zipped({"[Content_Types].xml": b"<Types/>", "word/document.xml": b"<w/>"})
        (alone,) = [document for document in of_mail(mail(attached(word, "a.docx"))) if document.role is PRIMARY]
        assert isinstance(alone.problem, UnsupportedDocumentError)
        beside = of_mail(mail(attached(word, "terms.docx"), attached(pdf("x"), "x.pdf")))
        assert [document.file_name for document in beside if document.role is PRIMARY] == ["x.pdf"]

    def test_the_same_content_twice_is_listed_twice_under_one_hash(self):
        documents = of_mail(mail(attached(pdf("same"), "a.pdf"), attached(pdf("same"), "a.pdf")))
        first, second = [document for document in documents if document.role is PRIMARY]
        assert first.content_sha256 == second.content_sha256
        assert first.part_path != second.part_path

    def test_the_file_name_filter_ignores_with_a_reason(self):
        raw = mail(attached(pdf("a"), "invoice.pdf"), attached(pdf("b"), "terms.pdf"))
        documents = of_mail(raw, accepts_name=lambda name: name != "terms.pdf")
        assert [document.reason for document in documents if document.role is IGNORED][1:] == [
            "its name does not pass the source's file name filter"
        ]

    def test_mails_nested_without_end_end(self):
        raw = mails.plain_pdf_mail("deep")
        for depth in range(12):
            part = b"Content-Type: message/rfc822\r\n\r\n" + raw
            raw = mail(part, boundary=f"b{depth}".encode())
        problems = [document.problem for document in of_mail(raw) if document.role is PRIMARY]
        assert any(isinstance(problem, LimitExceededError) for problem in problems)
        raw = b"Content-Type: message/rfc822\r\n\r\n" * 5000 + mails.plain_pdf_mail()
        assert any(document.problem for document in of_mail(raw))


class TestArchives:
    def test_folders_and_nested_archives_show_the_way_in(self):
        inner = zipped({"b.pdf": pdf("b"), "empty/": b""})
        documents = of_file(zipped({"2024/a.pdf": pdf("a"), "more/inner.zip": inner, "__MACOSX/._a.pdf": b"\x00\x05"}))
        assert primary(documents) == [("2024/a.pdf", pdf("a")), ("more/inner.zip/b.pdf", pdf("b"))]

    def test_an_ofd_is_a_document_not_an_archive(self):
        ofd = zipped({"OFD.xml": b"<?xml version='1.0'?><ofd:OFD/>", "Doc_0/Document.xml": b"<x/>"})
        (document,) = of_file(ofd, "invoice.ofd")
        assert (document.media_type, document.part_path, document.problem) == ("application/ofd", ITSELF, None)
        inside = of_file(
            zipped({"invoice.ofd": ofd, "invoice.pdf": pdf("x"), "invoice.xml": b"<?xml version='1.0'?><a/>"})
        )
        assert [document.media_type for document in inside] == ["application/ofd", "application/pdf", "application/xml"]

    def test_names_in_gbk_are_read(self):
        (document,) = of_file(mails.gbk_named_zip("发票/增值税发票.pdf", pdf("gbk")))
        assert (document.part_path, document.file_name) == ("发票/增值税发票.pdf", "增值税发票.pdf")

    @pytest.mark.parametrize("name", ["/etc/passwd.pdf", "../../up.pdf", "C:\\up.pdf", "a/../../up.pdf", "..\\up.pdf"])
    def test_a_name_that_leads_out_is_refused_and_the_rest_read(self, name):
        documents = of_file(zipped({name: pdf("evil"), "good.pdf": pdf("good")}))
        assert primary(documents) == [("good.pdf", pdf("good")), (ITSELF, documents[-1].raw)]
        assert isinstance(documents[-1].problem, CorruptDocumentError)

    def test_a_bomb_is_refused_whole(self):
        bomb = zipped({"good.pdf": pdf("good"), "bomb.pdf": b"%PDF-" + b"\x00" * 20_000_000})
        (document,) = of_file(bomb)
        assert isinstance(document.problem, LimitExceededError)
        assert document.raw == bomb

    def test_a_bomb_inside_an_archive_does_not_hide_its_neighbours(self):
        bomb = zipped({"bomb.pdf": b"%PDF-" + b"\x00" * 20_000_000})
        documents = of_file(zipped({"bomb.zip": bomb, "good.pdf": pdf("good")}))
        assert [(document.part_path, type(document.problem)) for document in documents] == [
            ("bomb.zip", LimitExceededError),
            ("good.pdf", type(None)),
        ]

    def test_archives_in_archives_in_archives_end(self):
        raw = pdf("core")
        for _ in range(9):
            raw = zipped({"inner.zip": raw}) if raw[:2] == b"PK" else zipped({"core.pdf": raw})
        (document,) = of_file(raw)
        assert isinstance(document.problem, LimitExceededError)

    @pytest.mark.parametrize(
        "limits", [UnpackLimits(max_documents=3), UnpackLimits(max_total_size=150), UnpackLimits(max_document_size=50)]
    )
    def test_limits_leave_a_document_that_says_so(self, limits):
        files = {f"{number}.pdf": pdf(str(number)) for number in range(6)}
        for raw, is_mail in ((zipped(files), False), (mail(*(attached(f, n) for n, f in files.items())), True)):
            documents = unpack(raw, file_name="item", is_mail=is_mail, limits=limits)
            assert any(isinstance(document.problem, LimitExceededError) for document in documents)
            assert len(documents) <= 8

    def test_a_damaged_archive_and_one_with_nothing_inside_are_visible(self):
        (damaged,) = of_file(zipped({"a.pdf": pdf("a")})[:40])
        assert isinstance(damaged.problem, CorruptDocumentError)
        (empty,) = of_file(zipped({}))
        assert isinstance(empty.problem, UnsupportedDocumentError)

    def test_a_password_is_asked_for_and_open_entries_are_read(self):
        raw = bytearray(zipped({"open.pdf": pdf("open"), "closed.pdf": pdf("closed")}))
        with zipfile.ZipFile(io.BytesIO(bytes(raw))) as archive:
            local = archive.getinfo("closed.pdf").header_offset
        central = raw.rindex(b"PK\x01\x02")
        raw[local + 6] |= 1
        raw[central + 8] |= 1
        opened, archive_itself = of_file(bytes(raw))
        assert opened.raw == pdf("open")
        assert isinstance(archive_itself.problem, EncryptedDocumentError)


class TestSingleFiles:
    @pytest.mark.parametrize(
        ("raw", "media_type", "problem"),
        [
            (pdf("x"), "application/pdf", None),
            (b"\xef\xbb\xbf" + b"junk before\n%PDF-1.7", "application/pdf", None),
            (png(10, 10), "image/png", None),
            (b"\xff\xd8\xff\xe0" + b"\x00" * 20, "image/jpeg", None),
            (b"II*\x00" + b"\x00" * 20, "image/tiff", None),
            (b"GIF89a" + b"\x00" * 20, "image/gif", None),
            (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp", None),
            (b"BM" + b"\x00" * 12 + (40).to_bytes(4, "little") + b"\x00" * 40, "image/bmp", None),
            (b"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00mif1heic", "image/heic", None),
            (b"\x00\x00\x00\x18ftypisom\x00\x00\x00\x00isommp42", "application/octet-stream", UnsupportedDocumentError),
            ("<?xml version='1.0' encoding='UTF-16'?><a/>".encode("utf-16"), "application/xml", None),
            (b"\n <Invoice xmlns='urn:x'/>", "application/xml", None),
            (b"<!DOCTYPE html><html>404</html>", "text/html", UnsupportedDocumentError),
            (b"<p>Not found</p>", "text/html", UnsupportedDocumentError),
            (b"just words", "text/plain", UnsupportedDocumentError),
            ("发票".encode("gbk"), "text/plain", UnsupportedDocumentError),
            (b"", "application/x-empty", EmptyDocumentError),
        ],
    )
    def test_a_file_is_what_its_bytes_say(self, raw, media_type, problem):
        (document,) = of_file(raw, "upload.bin")
        assert (document.media_type, document.part_path, document.role) == (media_type, ITSELF, PRIMARY)
        assert isinstance(document.problem, problem) if problem else document.problem is None

    def test_a_mail_saved_as_a_file_is_opened(self):
        assert primary(of_file(mails.gbk_mail(), "saved.eml")) == [("2/增值税发票.pdf", pdf("gbk"))]


_names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
_contents = st.one_of(st.binary(max_size=200), st.just(pdf("h")), st.just(mails.zip_mail()), st.just(png(4, 4)))


@settings(max_examples=150, deadline=None)
@given(raw=st.binary(max_size=2000), is_mail=st.booleans())
def test_no_bytes_make_it_raise(raw, is_mail):
    documents = unpack(raw, file_name="x", is_mail=is_mail)
    assert any(document.role is PRIMARY for document in documents)


@settings(max_examples=150, deadline=None)
@given(data=st.data(), template=st.sampled_from([mails.gbk_mail(), mails.nested_mail(), mails.zip_mail()]))
def test_no_damage_to_a_mail_makes_it_raise_or_differ_the_second_time(data, template):
    raw = bytearray(template)
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 40))] = data.draw(st.binary(max_size=20))
    first, second = of_mail(bytes(raw)), of_mail(bytes(raw))
    assert [(d.part_path, d.content_sha256, d.role) for d in first] == [
        (d.part_path, d.content_sha256, d.role) for d in second
    ]
    assert len({document.part_path for document in first}) == len(first)
    assert any(document.role is PRIMARY for document in first)


@settings(max_examples=60, deadline=None)
@given(files=st.dictionaries(_names.filter(bool), _contents, min_size=1, max_size=5))
def test_every_file_of_an_archive_is_accounted_for_under_a_path_of_its_own(files):
    documents = of_file(zipped(files))
    paths = [document.part_path for document in documents]
    assert len(set(paths)) == len(paths)
    assert all(len(path) <= 420 and path.isprintable() for path in paths)
    assert any(document.role is PRIMARY for document in documents)
