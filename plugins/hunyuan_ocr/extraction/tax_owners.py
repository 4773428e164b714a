"""Whose tax id is it? Told by label, by the block it stands in, and by its place on the page."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from hunyuan_ocr.extraction.blocks import Block
from hunyuan_ocr.extraction.context import Context
from hunyuan_ocr.extraction.labels import Hit, HitMap, Region, Role
from hunyuan_ocr.extraction.layout import Layout
from hunyuan_ocr.extraction.leads import Lead, lead_of
from hunyuan_ocr.extraction.prompts import PromptProfile, ValueType, Where
from hunyuan_ocr.extraction.values import SCANNERS
from hunyuan_ocr.model.parsing.tax_ids import find_tax_ids, parse_tax_id

_FOOTER = 800.0
_LETTERHEAD = 110.0
# Spain alone prints ids with a letter and without prefix; its check digit keeps those of other countries out.
_HOME = {"es": "ES"}
_BARE = re.compile(r"(?=.*[A-Z])[A-Z]?-?\d[\d.-]{6,10}[A-Z\d]")


class TaxIdOwners:
    """Gives each tax id of a document to the seller, the buyer or nobody."""

    def __init__(
        self,
        hits: HitMap,
        profile: PromptProfile,
        context: Context,
        blocks: Sequence[Block],
        table_top: int | None,
    ) -> None:
        self.hits = hits
        self.layout: Layout = hits.layout
        self.profile = profile
        self.context = context
        self.blocks = blocks
        self.table_top = table_top
        sums = [*hits.of("total_with_tax"), *hits.of("amount_due")]
        totals = [hit.row for hit in sums if table_top is None or hit.row > table_top]
        self._below_totals = max(totals, default=None)

    def paired(self, found: dict[str, list[Lead]]) -> None:
        """Labels printed once per party without saying whose (名称): told apart by their order on the page."""
        pairing = self.profile.paired
        if pairing is None:
            return
        for target in pairing.labels:
            hits = self.hits.of(target, Role.PAIRED)[:2] if target != "name" else self._name_hits(target)
            for hit, party in zip(hits, self._sides(hits, pairing.order), strict=True):
                path = f"{party}.{target}"
                scan = SCANNERS[ValueType.TAX_ID if target == "tax_id" else ValueType.TEXT]
                for where in (Where.SAME_SPAN, Where.RIGHT):
                    regions = list(self.hits.regions(hit, where))[:1]
                    values = scan(regions[0].text, self.context) if regions else []
                    if values:
                        strength = 0.95 * hit.weight
                        found.setdefault(path, []).append(
                            lead_of(path, regions[0], values[0], strength, hit.meaning.text)
                        )
                        break

    def _name_hits(self, target: str) -> list[Hit]:
        return [
            hit for hit in self.hits.of(target, Role.PAIRED) if self.table_top is None or hit.row != self.table_top
        ][:2]

    def _sides(self, hits: Sequence[Hit], order: Sequence[str]) -> list[str]:
        if len(hits) == 2:
            first, second = hits
            page = self.layout.page(first.chunk.page_no)
            same_height = abs(first.chunk.box.center_y - second.chunk.box.center_y) < 1.5 * page.line
            swapped = (
                same_height
                and first.chunk.box_of(first.start, first.end).x0 > second.chunk.box_of(second.start, second.end).x0
            )
            return [order[1], order[0]] if swapped else [order[0], order[1]]
        sides = []
        for hit in hits:
            after_table = self.table_top is not None and hit.row > self.table_top
            on_the_right = hit.chunk.box_of(hit.start, hit.end).x0 > 480
            sides.append(order[1] if after_table or on_the_right else order[0])
        return sides

    def tax_ids(self, found: dict[str, list[Lead]], leads: Mapping[str, Sequence[Lead]]) -> None:
        """Tax ids by label and by their own form, told apart by label, block and place."""
        if self.profile.paired is not None and (found["seller.tax_id"] or found["buyer.tax_id"]):
            return
        generic = list(leads.get("seller.tax_id", ()))
        buyers = list(leads.get("buyer.tax_id", ()))
        for lead in self._self_evident_ids():
            same = [
                other for other in (*generic, *buyers) if other.place[:2] == lead.place[:2] and other.norm == lead.norm
            ]
            if not same:
                generic.append(lead)
            # A label inside a sentence says less than the id itself.
            elif same[0] in generic and same[0].confidence < lead.confidence:
                generic[generic.index(same[0])] = replace(same[0], confidence=lead.confidence)
        buyer_norms = {lead.norm for lead in buyers}
        for lead in generic:
            party = self._block_party(lead)
            if party == "other":
                continue
            if lead.norm in buyer_norms and party != "seller":
                continue
            path = "buyer.tax_id" if party == "buyer" else "seller.tax_id"
            known = replace(lead, field_path=path)
            (buyers if party == "buyer" else found["seller.tax_id"]).append(known)
        found["buyer.tax_id"].extend(sorted(buyers, key=lambda lead: -lead.confidence))
        found["seller.tax_id"] = self._told_apart(found)

    def _told_apart(self, found: dict[str, list[Lead]]) -> list[Lead]:
        """Of several unowned ids the one in the letterhead or the footer is the seller's, the other the buyer's."""
        sellers = sorted(found["seller.tax_id"], key=lambda lead: -lead.confidence)
        strong = [lead for lead in sellers if lead.confidence > 0.55]
        norms = {lead.norm for lead in strong}
        if len(norms) < 2:
            return sellers
        edge = [lead for lead in strong if self._is_at_edge(lead)]
        # A German tax office's number beside the VAT id: both are the seller's, the VAT id is asked for.
        edge = [lead for lead in edge if "/" not in lead.norm] or edge
        if len({lead.norm for lead in edge}) == 1:
            owner = edge[0].norm
            others = [lead for lead in strong if lead.norm != owner and lead.label and not self._is_at_edge(lead)]
            if not found["buyer.tax_id"] and len({lead.norm for lead in others}) == 1:
                found["buyer.tax_id"].append(replace(others[0], field_path="buyer.tax_id"))
            return [lead for lead in sellers if lead.norm == owner]
        return sellers

    def _is_at_edge(self, lead: Lead) -> bool:
        """In the letterhead, in the footer, under the totals, or in a block that is the seller's."""
        under_totals = self._below_totals is not None and lead.place[0] > self._below_totals
        at_edge = lead.box.y0 > _FOOTER or lead.box.y1 < _LETTERHEAD or under_totals
        return at_edge or self._block_party(lead) == "seller"

    def _block_party(self, lead: Lead) -> str | None:
        for block in self.blocks:
            if lead.place[:2] in block.rows:
                return block.party
        return None

    def _bare_id(self, row: int, column: int) -> Iterator[Lead]:
        """A line that is nothing but an id of the document's country, with a letter and a check digit that agrees."""
        chunk = self.layout.rows[row].chunks[column]
        text = chunk.text.strip()
        country = self.context.country or next((_HOME[code] for code in self.profile.languages if code in _HOME), None)
        if country is None or _BARE.fullmatch(text) is None or find_tax_ids(text):
            return
        tax_id = parse_tax_id(text, country)
        if tax_id is not None and tax_id.is_valid and (found := SCANNERS[ValueType.TAX_ID](text, self.context)):
            region = Region(Where.SAME_SPAN, row, column, chunk, 0, len(text), 1.0)
            yield lead_of("seller.tax_id", region, found[0], 0.66, "")

    def _self_evident_ids(self) -> Iterator[Lead]:
        for row_no, row in enumerate(self.layout.rows):
            for column, chunk in enumerate(row.chunks):
                yield from self._bare_id(row_no, column)
                for match in find_tax_ids(chunk.text):
                    if match.tax_id.is_valid is not True:
                        continue
                    region = Region(Where.SAME_SPAN, row_no, column, chunk, match.start, match.end, 1.0)
                    found = SCANNERS[ValueType.TAX_ID](region.text, self.context)
                    if found:
                        yield lead_of("seller.tax_id", region, found[0], 0.66, "")
