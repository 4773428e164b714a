"""Seller and buyer: their names and tax ids.

Names come from headed blocks ("Bill to", "Verkäufer"), from labels, from the sender line over an address window, from
the letterhead, the footer and the e-mail domain; independent places that agree raise the confidence. A tax id belongs
to the buyer when its label or its block says so, to the seller when it stands in the letterhead or the footer or is
the only one. A wrong name is worse than none: what only its position speaks for is not given.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from hunyuan_ocr.extraction.blocks import POSTCODE_AND_TOWN, Block, address_blocks, headed_blocks
from hunyuan_ocr.extraction.context import Context
from hunyuan_ocr.extraction.labels import HitMap, Region, Role
from hunyuan_ocr.extraction.layout import Chunk, Layout, key_of, label_key
from hunyuan_ocr.extraction.leads import Lead, lead_of
from hunyuan_ocr.extraction.prompts import PromptProfile, Where
from hunyuan_ocr.extraction.tax_owners import TaxIdOwners
from hunyuan_ocr.extraction.values import Found
from hunyuan_ocr.model.invoice import DocumentKind
from hunyuan_ocr.model.parsing.text import squeeze

_FOOTER = 800.0
_HEAD = 260.0
_NOWHERE = 10**6
_SEPARATORS = re.compile(r"\s*(?:[•●·|∙◦]|\s[-–—]\s)\s*")
_NOT_A_NAME = re.compile(
    r"@|https?:|www\.|\b\d{3,}[\s-]?\d{3,}|^\W*\d|[:：]|^\(|^[\W\d]+$|\b(?:street|strasse|straße|str\.|road|avenue|"
    r"ave\b|rue\b|calle|via\b|jalan|jln|lorong|p\.?o\.? box|floor|suite)\b|\bpage\b|\bseite\b|^(?:herr|frau|mr|mrs)\b",
    re.IGNORECASE,
)
_ATTENTION = re.compile(r"^(?:attn|attention|att|z\.?\s?hd|c/o|to|m/s|messrs|spett\.?le|name)\.?\s*[:.]?\s+", re.I)
_DOMAIN = re.compile(r"(?:@|www\.|https?://(?:www\.)?)([a-z0-9][a-z0-9.-]*)\.[a-z]{2,}", re.IGNORECASE)
_ABBREVIATED = re.compile(r"\b(?:inc|ltd|co|corp|pvt|pte|lda|cia|jr|sr|bros|bhd|ltda)\.$", re.IGNORECASE)
# The border of a receipt, read as a letter.
_EDGE_READ_AS_LETTER = re.compile(r"(\bBHD)[Il|1]$")
_NAME_EDGE = " \t:：,;-–•*_|"
_PUBLIC_MAIL = frozenset([
    "gmail",
    "hotmail",
    "yahoo",
    "outlook",
    "gmx",
    "web",
    "aol",
    "icloud",
    "live",
    "msn",
    "qq",
    "163",
    "126",
    "t-online",
])
_REGISTRY_TAIL = re.compile(r"\s*[(\[]\s*(?:co\.?\s*reg|company|no|reg)?[^()]*\d{4,}[^()]*[)\]]\s*$", re.IGNORECASE)


def collect_parties(
    hits: HitMap,
    leads: Mapping[str, Sequence[Lead]],
    profile: PromptProfile,
    related: Sequence[PromptProfile],
    context: Context,
    kind: DocumentKind,
    table_top: int | None,
) -> dict[str, list[Lead]]:
    """Leads for ``seller.*`` and ``buyer.*``, best first.

    ``related`` are the profiles whose labels count too, ``table_top`` is the first row of the line item table.
    """
    finder = _Finder(hits, profile, related, context, kind, table_top)
    found: dict[str, list[Lead]] = {}
    for path in ("seller.name", "buyer.name", "seller.tax_id", "buyer.tax_id"):
        found[path] = []
    owners = TaxIdOwners(hits, profile, context, finder.blocks, table_top)
    owners.paired(found)
    finder.buyer_names(found)
    finder.seller_names(found)
    owners.tax_ids(found, leads)
    for path in ("seller.name", "buyer.name"):
        found[path] = _agreed(found[path])
    return found


class _Finder:
    def __init__(
        self,
        hits: HitMap,
        profile: PromptProfile,
        related: Sequence[PromptProfile],
        context: Context,
        kind: DocumentKind,
        table_top: int | None,
    ) -> None:
        self.hits = hits
        self.layout: Layout = hits.layout
        self.profile = profile
        self.context = context
        self.kind = kind
        self.table_top = table_top
        texts = [text for source in (profile, *related) for text in source.company_suffixes]
        suffixes = sorted({key_of(text) for text in texts}, key=len, reverse=True)
        self._suffixes = [suffix for suffix in suffixes if suffix]
        self.blocks = headed_blocks(hits)
        self.domains = self._domains()

    def _name_in(self, block: Block) -> tuple[Region, str] | None:
        for region in block.regions[:4]:
            labels = [hit for hit in self.hits.at(region.row, region.column) if hit.start >= region.start]
            own = [hit for hit in labels if hit.start == region.start]
            if own and own[0].meaning.role in (Role.FIELD, Role.OTHER):
                continue
            name = self.clean_name(region.text)
            if name:
                return region, name
        return None

    def clean_name(self, text: str) -> str | None:
        """The text as a name, without "Attn:" and registry numbers; ``None`` when it does not look like a name."""
        name = _ATTENTION.sub("", text.strip(_NAME_EDGE))
        name = _REGISTRY_TAIL.sub("", name).strip(_NAME_EDGE)
        letters = sum(character.isalpha() for character in name)
        name = _EDGE_READ_AS_LETTER.sub(r"\1", name)
        if name.endswith(".") and "." not in name[:-1] and not _ABBREVIATED.search(name):
            name = name[:-1]
        if letters < 2 or len(name) > 80 or letters < 0.5 * len(name.replace(" ", "")):
            return None
        if _NOT_A_NAME.search(name) and not (self.has_suffix(name) and ":" not in name and "@" not in name):
            return None
        return name

    def has_suffix(self, text: str) -> bool:
        """True when a word of the text is a company's legal form (or, on a receipt, a word shops are named by)."""
        key, places = label_key(text)
        for suffix in self._suffixes:
            place = key.find(suffix)
            while place >= 0:
                before = places[place] - 1
                after = places[place + len(suffix) - 1] + 1
                clear_before = place == 0 or not text[before].isalpha() or "\u4e00" <= suffix[0] <= "\u9fff"
                clear_after = after >= len(text) or not text[after].isalnum() or "\u4e00" <= suffix[0] <= "\u9fff"
                if clear_before and clear_after and place > 0:
                    return True
                place = key.find(suffix, place + 1)
        return False

    def _is_only_suffix(self, name: str) -> bool:
        key = label_key(name)[0]
        for suffix in self._suffixes:
            key = key.replace(suffix, "")
        return len(key) < 3

    def _domains(self) -> set[str]:
        names = set()
        elsewhere = {place for block in self.blocks if block.party != "seller" for place in block.rows}
        for row_no, row in enumerate(self.layout.rows):
            own = [chunk.text for column, chunk in enumerate(row.chunks) if (row_no, column) not in elsewhere]
            for match in _DOMAIN.finditer("  ".join(own)):
                for part in match.group(1).lower().split("."):
                    if part not in _PUBLIC_MAIL and len(part) > 2:
                        names.add(part.replace("-", ""))
        return names

    def _in_domain(self, name: str) -> bool:
        words = [label_key(word)[0] for word in re.split(r"[\s&,.]+", name)]
        words = [word for word in words if len(word) > 3 and word not in self._suffixes]
        whole = label_key(name)[0]
        return any(
            domain == whole
            or (domain in whole and len(domain) > 4)
            or sum(word in domain for word in words) >= 2
            or (bool(words) and domain.startswith(words[0]) and len(words[0]) > 4)
            for domain in self.domains
        )

    def _lead(self, path: str, region: Region, name: str, strength: float, label: str = "") -> Lead:
        start = max(region.text.find(name), 0)
        norm = squeeze(name)
        return lead_of(path, region, Found(start, start + len(name), name, norm, 1.0, (norm,)), strength, label)

    # Names

    def buyer_names(self, found: dict[str, list[Lead]]) -> None:
        self._labelled_names("buyer", found)
        for block in self.blocks:
            if block.party == "buyer" and (named := self._name_in(block)):
                found["buyer.name"].append(self._lead("buyer.name", *named, 0.88, "section"))

    def seller_names(self, found: dict[str, list[Lead]]) -> None:
        self._labelled_names("seller", found)
        for block in self.blocks:
            if block.party == "seller" and (named := self._name_in(block)):
                found["seller.name"].append(self._lead("seller.name", *named, 0.9, "section"))
        buyers = {label_key(lead.norm)[0] for lead in found["buyer.name"]}
        taken = {place for block in self.blocks for place in block.rows}
        window = self._sender_line(found)
        if window is not None and not found["buyer.name"] and self.kind is not DocumentKind.RECEIPT:
            name = self.clean_name(window.text)
            if name and not _is_one_of(name, {label_key(lead.norm)[0] for lead in found["seller.name"]}):
                found["buyer.name"].append(self._lead("buyer.name", window, name, 0.8))
                buyers.add(label_key(name)[0])
        for region, name, strength in self._letterhead(taken):
            if not _is_one_of(name, buyers):
                found["seller.name"].append(self._lead("seller.name", region, name, strength))
        if found["buyer.name"] or self.kind is DocumentKind.RECEIPT:
            return
        sellers = {label_key(lead.norm)[0] for lead in found["seller.name"] if lead.confidence > 0.5}
        self._address_window(found, sellers, taken)

    def _address_window(self, found: dict[str, list[Lead]], sellers: set[str], taken: set[tuple[int, int]]) -> None:
        """The address block without a heading that is not the seller's, when there is exactly one."""
        named: list[tuple[Region, str]] = []
        for block in address_blocks(self.hits, taken, self.table_top):
            name_found = self._name_in(block)
            if name_found is None:
                continue
            region, name = name_found
            key = label_key(name)[0]
            if _is_one_of(name, sellers) or self._in_domain(name):
                found["seller.name"].append(self._lead("seller.name", region, name, 0.6))
            elif key not in {label_key(other)[0] for _, other in named}:
                named.append((region, name))
        if len(named) == 1:
            strength = 0.7 if any(lead.confidence > 0.5 for lead in found["seller.name"]) else 0.4
            found["buyer.name"].append(self._lead("buyer.name", *named[0], strength))
            key = label_key(named[0][1])[0]
            found["seller.name"] = [lead for lead in found["seller.name"] if label_key(lead.norm)[0] != key]

    def _labelled_names(self, party: str, found: dict[str, list[Lead]]) -> None:
        for hit in self.hits.hits:
            if hit.meaning.role is not Role.PARTY_NAME or hit.target != party:
                continue
            if not hit.has_colon and hit.start > 0:
                continue
            for where in (Where.SAME_SPAN, Where.RIGHT, Where.BELOW):
                regions = list(self.hits.regions(hit, where))[:1]
                name = self.clean_name(regions[0].text) if regions else None
                if name:
                    strength = 0.93 * hit.weight * (0.9 if where is Where.BELOW else 1.0)
                    found[f"{party}.name"].append(
                        self._lead(f"{party}.name", regions[0], name, strength, hit.meaning.text)
                    )
                if regions:
                    break

    def _sender_line(self, found: dict[str, list[Lead]]) -> Region | None:
        """The one-line sender over an address window ("Muster GmbH • Weg 1 • 12345 Ort"); gives the line under it."""
        window: Region | None = None
        for row_no, row in enumerate(self.layout.rows):
            for column, chunk in enumerate(row.chunks):
                if 300 < chunk.box.y0 < 750 or any(hit.start == 0 for hit in self.hits.at(row_no, column)):
                    continue
                parts = [part for part in _SEPARATORS.split(chunk.text) if part.strip()]
                if len(parts) < 2 and column == 0 and len(row.chunks) >= 3 and self.has_suffix(parts[0]):
                    unlabelled = not any(self.hits.at(row_no, other) for other in range(len(row.chunks)))
                    parts = [other.text for other in row.chunks] if unlabelled else parts
                if len(parts) < 2:
                    parts = chunk.text.split(", ")
                    if not self.has_suffix(parts[0]):
                        continue
                name = self.clean_name(parts[0])
                if (
                    not name
                    or len(parts) < 3
                    or not any(POSTCODE_AND_TOWN.search(part.strip(" ,")) for part in parts[1:])
                ):
                    continue
                region = Region(Where.SAME_SPAN, row_no, column, chunk, 0, len(chunk.text), 1.0)
                strength = 0.9 if self.has_suffix(name) else 0.55
                found["seller.name"].append(self._lead("seller.name", region, name, strength))
                if window is None and chunk.box.y0 < 300 and row.page_no == self.layout.pages[0].page_no:
                    window = self._under(row_no, chunk)
        return window

    def _under(self, row_no: int, chunk: Chunk) -> Region | None:
        page = self.layout.page(chunk.page_no)
        for below_no in range(row_no + 1, min(row_no + 5, len(self.layout.rows))):
            for column, other in enumerate(self.layout.rows[below_no].chunks):
                if abs(other.box.x0 - chunk.box.x0) < 1.2 * page.em and other.box.y0 - chunk.box.y1 < 4.5 * page.line:
                    if self.hits.at(below_no, column):
                        return None
                    return Region(Where.BELOW, below_no, column, other, 0, len(other.text), 1.0)
        return None

    def _letterhead(self, taken: set[tuple[int, int]]) -> Iterator[tuple[Region, str, float]]:
        """Company names in the head and the foot of the page, outside all headed blocks."""
        is_receipt = self.kind is DocumentKind.RECEIPT
        heads = [row_no for row_no, row in enumerate(self.layout.rows) if row.box.y0 < _HEAD]
        first_company = next((row_no for row_no in heads if self.has_suffix(self.layout.rows[row_no].text)), _NOWHERE)
        top_lines = 0
        for row_no, row in enumerate(self.layout.rows):
            if row.page_no != self.layout.pages[0].page_no:
                return
            for column, chunk in enumerate(row.chunks):
                if (row_no, column) in taken:
                    continue
                labels = self.hits.at(row_no, column)
                if labels and labels[0].start == 0 and labels[0].meaning.role is not Role.PARTY_NAME:
                    continue
                name = self.clean_name(_SEPARATORS.split(chunk.text)[0])
                if name is None or re.search(r"\d{3}", name):
                    continue
                if self._is_only_suffix(name) and row_no:
                    above = self.layout.rows[row_no - 1].chunks
                    first_half = self.clean_name(above[0].text) if len(above) == 1 else None
                    if first_half is None:
                        continue
                    name = f"{first_half} {name}"
                in_head = chunk.box.y0 < _HEAD
                in_foot = chunk.box.y0 > _FOOTER
                before_table = self.table_top is None or row_no < self.table_top
                strength = 0.0
                if self.has_suffix(name):
                    strength = 0.8 - 0.02 * top_lines if in_head and before_table else 0.3
                    strength = max(strength, 0.66) if in_foot or in_head else strength
                    if is_receipt and in_head:
                        strength = 0.9 - 0.03 * top_lines
                elif in_head and before_table and is_receipt:
                    is_shop_sign = top_lines == 0 and not name.islower() and row_no < first_company
                    strength = 0.58 if is_shop_sign and first_company == _NOWHERE else 0.5 if top_lines == 0 else 0.34
                elif (in_head and before_table) or (in_foot and not is_receipt):
                    strength = 0.36
                if in_head:
                    top_lines += 1
                if strength and self._in_domain(name) and (in_head or in_foot):
                    strength = min(0.9, strength + 0.3)
                if strength >= 0.3:
                    yield Region(Where.SAME_SPAN, row_no, column, chunk, 0, len(chunk.text), 1.0), name, strength


def _is_one_of(name: str, keys: set[str]) -> bool:
    """True when a name is one of ``keys`` or another form of it ("Muster Corp", "Muster Corporation")."""
    key = label_key(name)[0]
    shared = min(10, len(key))
    return any(key == other or (shared > 6 and other[:shared] == key[:shared]) for other in keys)


def _agreed(leads: Sequence[Lead]) -> list[Lead]:
    """One lead per name; independent places that agree raise its confidence."""
    by_name: dict[str, Lead] = {}
    for lead in sorted(leads, key=lambda item: -item.confidence):
        key = label_key(lead.norm)[0]
        known = by_name.get(key)
        if known is None:
            by_name[key] = lead
        elif known.place[:2] != lead.place[:2]:
            joined = 1 - (1 - known.confidence) * (1 - 0.6 * lead.confidence)
            by_name[key] = replace(known, confidence=min(0.98, joined))
    return sorted(by_name.values(), key=lambda lead: (-round(lead.confidence, 2), lead.place))
