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
from hunyuan_ocr.extraction.layout import Chunk, Layout, is_cjk, key_of, label_key
from hunyuan_ocr.extraction.leads import Lead, lead_of
from hunyuan_ocr.extraction.names import NameJudge, is_personal
from hunyuan_ocr.extraction.prompts import PromptProfile, Where
from hunyuan_ocr.extraction.tax_owners import TaxIdOwners
from hunyuan_ocr.extraction.values import Found
from hunyuan_ocr.model.invoice import DocumentKind
from hunyuan_ocr.model.parsing.text import squeeze

_FOOTER = 800.0
_HEAD = 260.0
_LETTERHEAD = 95.0
_LETTERHEAD_ROWS = 2
_HEADLINE = 1.35
_HEADLINE_ROWS = 3
_NOWHERE = 10**6
_ONLY_A_PERSON = 0.5
_SHORTEST_MARK = 5
_SEPARATORS = re.compile(r"\s*(?:[•●·|∙◦]|\s[-–—]\s)\s*")
# The owner under the name of the firm.
_OWNER = re.compile(r"(?:inh|inhaber(?:in)?|prop|proprietor|owner|gérante?|titular)\b", re.IGNORECASE)
_CONTACT = re.compile(r"@|www\.|\b(?:tel|tél|telefon|phone|ph|fax|mobil)\b|\+\d{2}", re.IGNORECASE)
_DOMAIN = re.compile(r"(?:@|www\.|https?://(?:www\.)?)([a-z0-9][a-z0-9.-]*)\.[a-z]{2,}", re.IGNORECASE)
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
    found["seller.name"] = _in_full(found["seller.name"], finder.names)
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
        self.names = NameJudge(texts)
        sources = (profile, *related)
        kinds = [text for source in sources for texts_of in source.recognise.kinds.values() for text in texts_of]
        self._titles = {key_of(text) for text in (*kinds, *(t for source in sources for t in source.recognise.titles))}
        self.blocks = headed_blocks(hits)
        self.domains = self._domains()

    def _name_in(self, block: Block) -> tuple[Region, str] | None:
        """The first line of a block that is a name; the company's, where a person to be addressed stands above it."""
        person: tuple[Region, str] | None = None
        for region in block.regions[:4]:
            labels = [hit for hit in self.hits.at(region.row, region.column) if hit.start >= region.start]
            own = [hit for hit in labels if hit.start == region.start]
            if own and own[0].meaning.role in (Role.FIELD, Role.OTHER):
                continue
            name = self.names.clean(region.text)
            if person is not None:
                return (region, name) if name and self.names.has_suffix(name) else person
            if name and is_personal(region.text):
                person = region, name
            elif name:
                return region, name
        return person

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
        words = [word for word in words if len(word) > 3 and word not in self.names.suffixes]
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
        if window is not None and not self._knows_buyer(found) and self.kind is not DocumentKind.RECEIPT:
            name = self.names.clean(window.text)
            if name is None and (below := self._under(window.row, window.chunk)) is not None:
                # "Herrn" alone on the first line.
                window, name = below, self.names.clean(below.text)
            if name and not _is_one_of(name, {label_key(lead.norm)[0] for lead in found["seller.name"]}):
                found["buyer.name"].append(self._lead("buyer.name", window, name, 0.8))
                buyers.add(label_key(name)[0])
        if not self._knows_buyer(found) and self.kind is not DocumentKind.RECEIPT:
            addressee = self._addressee(taken)
            if addressee is not None:
                # What else stands in the block (a tax id) is the buyer's too; the owners of tax ids share this list.
                self.blocks.append(replace(addressee, party="buyer"))
                taken = taken | addressee.rows
                region, name = self._name_in(addressee) or (None, "")
                if region is not None:
                    found["buyer.name"].append(self._lead("buyer.name", region, name, 0.72))
                    buyers.add(label_key(name)[0])
        for region, name, strength in self._letterhead(taken):
            if not _is_one_of(name, buyers):
                found["seller.name"].append(self._lead("seller.name", region, name, strength))
        if self.kind is DocumentKind.RECEIPT:
            return
        if found["buyer.name"]:
            self._own_address(found, buyers, taken)
            return
        sellers = {label_key(lead.norm)[0] for lead in found["seller.name"] if lead.confidence > 0.5}
        self._address_window(found, sellers, taken)

    @staticmethod
    def _knows_buyer(found: Mapping[str, Sequence[Lead]]) -> bool:
        """False also when only a person to be addressed is known."""
        return any(lead.confidence > _ONLY_A_PERSON for lead in found["buyer.name"])

    def _addressee(self, taken: set[tuple[int, int]]) -> Block | None:
        """The one address without a heading below the letterhead that has no phone or mail of its own."""
        blocks = []
        for block in address_blocks(self.hits, taken, self.table_top):
            first = block.regions[0]
            named = self._name_in(block)
            if first.row < _LETTERHEAD_ROWS or first.chunk.box.y0 < _LETTERHEAD or named is None:
                continue
            if any(_CONTACT.search(region.text) for region in block.regions) or self._in_domain(named[1]):
                continue
            blocks.append(block)
        return blocks[0] if len(blocks) == 1 else None

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

    def _own_address(self, found: dict[str, list[Lead]], buyers: set[str], taken: set[tuple[int, int]]) -> None:
        """Beside a known buyer, the one address without a heading that states a tax id is the seller's."""
        named = [
            named
            for block in address_blocks(self.hits, taken, self.table_top, one_line=True)
            if any(hit.target == "seller.tax_id" for place in block.rows for hit in self.hits.at(*place))
            and (named := self._name_in(block)) is not None
            and not _is_one_of(named[1], buyers)
        ]
        if len(named) == 1:
            found["seller.name"].append(self._lead("seller.name", *named[0], 0.62))

    def _labelled_names(self, party: str, found: dict[str, list[Lead]]) -> None:
        for hit in self.hits.hits:
            if hit.meaning.role is not Role.PARTY_NAME or hit.target != party:
                continue
            if not hit.has_colon and hit.start > 0:
                continue
            for where in (Where.SAME_SPAN, Where.RIGHT, Where.BELOW):
                is_lone_word = not hit.has_colon and " " not in hit.meaning.text
                if is_lone_word and (
                    where is Where.BELOW or (where is Where.RIGHT and not is_cjk(hit.meaning.text[0]))
                ):
                    break
                regions = list(self.hits.regions(hit, where))[:1]
                name = self.names.clean(regions[0].text) if regions else None
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
                if len(parts) < 2 and column == 0 and len(row.chunks) >= 3 and self.names.has_suffix(parts[0]):
                    unlabelled = not any(self.hits.at(row_no, other) for other in range(len(row.chunks)))
                    parts = [other.text for other in row.chunks] if unlabelled else parts
                if len(parts) < 2:
                    parts = chunk.text.split(", ")
                    if not self.names.has_suffix(parts[0]):
                        continue
                name = self.names.clean(parts[0])
                if (
                    not name
                    or _OWNER.match(name)
                    or len(parts) < 3
                    or not any(POSTCODE_AND_TOWN.search(part.strip(" ,")) for part in parts[1:])
                ):
                    continue
                region = Region(Where.SAME_SPAN, row_no, column, chunk, 0, len(chunk.text), 1.0)
                strength = 0.9 if self.names.has_suffix(name) else 0.55
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
        first_company = next(
            (row_no for row_no in heads if self.names.has_suffix(self.layout.rows[row_no].text)), _NOWHERE
        )
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
                name = self.names.clean(_SEPARATORS.split(chunk.text)[0])
                if name is None or _OWNER.match(name) or re.search(r"\d{3}", name):
                    continue
                if self.names.is_only_suffix(name) and row_no:
                    above = self.layout.rows[row_no - 1].chunks
                    first_half = self.names.clean(above[0].text) if len(above) == 1 else None
                    if first_half is None:
                        continue
                    name = f"{first_half} {name}"
                in_head = chunk.box.y0 < _HEAD
                in_foot = chunk.box.y0 > _FOOTER
                before_table = self.table_top is None or row_no < self.table_top
                strength = 0.0
                if self.names.has_suffix(name):
                    strength = 0.8 - 0.02 * top_lines if in_head and before_table else 0.3
                    strength = max(strength, 0.66) if in_foot or in_head else strength
                    if is_receipt and in_head:
                        strength = 0.9 - 0.03 * top_lines
                elif in_head and before_table and is_receipt:
                    is_shop_sign = top_lines == 0 and not name.islower() and row_no < first_company
                    strength = 0.58 if is_shop_sign and first_company == _NOWHERE else 0.5 if top_lines == 0 else 0.34
                elif (in_head and before_table) or (in_foot and not is_receipt):
                    strength = 0.56 if self._is_headline(row_no, chunk) else 0.36
                if in_head:
                    top_lines += 1
                if strength and self._in_domain(name) and (in_head or in_foot):
                    strength = min(0.9, strength + 0.3)
                if strength >= 0.3:
                    yield Region(Where.SAME_SPAN, row_no, column, chunk, 0, len(chunk.text), 1.0), name, strength

    def _is_headline(self, row_no: int, chunk: Chunk) -> bool:
        """Large words at the very top that are neither a label nor the document's title: the letterhead's name."""
        page = self.layout.page(chunk.page_no)
        is_large = row_no < _HEADLINE_ROWS and chunk.box.height >= _HEADLINE * page.line
        is_first = row_no == 0 and len(self.layout.rows[0].chunks) == 1 and chunk.text.isupper()
        if not (is_large or is_first) or len(chunk.text.split()) < 2:
            return False
        return not any(title in chunk.folded for title in self._titles)


def _is_one_of(name: str, keys: set[str]) -> bool:
    """True when a name is one of ``keys`` or another form of it ("Muster Corp", "Muster Corporation")."""
    key = label_key(name)[0]
    shared = min(10, len(key))
    return any(key == other or (shared > 6 and other[:shared] == key[:shared]) for other in keys)


def _in_full(leads: list[Lead], names: NameJudge) -> list[Lead]:
    """The firm's full name before the short one of its letterhead ("Muster", "Muster Trading Ltd" in the footer)."""
    if not leads or names.has_suffix(leads[0].norm):
        return leads
    short = label_key(leads[0].norm)[0]
    for lead in leads[1:]:
        if len(short) >= _SHORTEST_MARK and label_key(lead.norm)[0].startswith(short) and names.has_suffix(lead.norm):
            full = replace(lead, confidence=max(lead.confidence, leads[0].confidence))
            return [full, *(other for other in leads if other is not lead and other is not leads[0])]
    return leads


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
