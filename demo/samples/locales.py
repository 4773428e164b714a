"""How invoices of five countries say things: labels as printed, dates, amounts, goods.

Every label has several printed forms, because a reader tuned to one would learn nothing. A layout takes one of them
by the seed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal


@dataclass(frozen=True)
class Locale:
    """Words and notations of the invoices of one country."""

    country: str
    lang: str
    currency: str
    labels: dict[str, tuple[str, ...]]
    money_forms: tuple[Callable[[Decimal], str], ...]
    number_form: Callable[[Decimal], str]
    date_forms: tuple[Callable[[date], str], ...]
    rates: tuple[str, ...]
    goods: tuple[tuple[str, str, str], ...]
    surnames: tuple[str, ...]
    trades: tuple[str, ...]
    legal_forms: tuple[str, ...]
    streets: tuple[str, ...]
    towns: tuple[str, ...]
    banks: tuple[tuple[str, str], ...]
    prefixes: tuple[str, ...]
    thanks: str


def point(amount: Decimal) -> str:
    """``1,234.50``."""
    return f"{amount:,.2f}"


def comma(amount: Decimal) -> str:
    """``1.234,50``."""
    return f"{amount:,.2f}".translate(str.maketrans(",.", ".,"))


def french(amount: Decimal) -> str:
    """``1 234,50`` with the no-break space French software prints."""
    return f"{amount:,.2f}".translate(str.maketrans(",.", "\u00a0,"))


_MONTHS = {
    "en": "January February March April May June July August September October November December",
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
}


def _month(day: date, lang: str) -> str:
    return _MONTHS[lang].split()[day.month - 1]


US = Locale(
    country="US",
    lang="en",
    currency="USD",
    labels={
        "title": ("INVOICE", "Invoice", "SALES INVOICE"),
        "number": ("Invoice Number", "Invoice #", "Invoice No."),
        "date": ("Invoice Date", "Date", "Date of Issue"),
        "due": ("Due Date", "Payment Due"),
        "order": ("PO Number", "P.O. #"),
        "bill_to": ("Bill To", "Billed To", "Sold To"),
        "tax_id": ("EIN", "Federal Tax ID"),
        "item": ("Description", "Item", "Product / Service"),
        "quantity": ("Qty", "Quantity", "Hours/Qty"),
        "price": ("Unit Price", "Rate", "Price"),
        "amount": ("Amount", "Line Total"),
        "net": ("Subtotal", "Sub-Total"),
        "tax": ("Sales Tax", "Tax"),
        "tax_total": ("Total Tax",),
        "total": ("Total", "Invoice Total", "Grand Total"),
        "due_amount": ("Amount Due", "Balance Due"),
        "bank": ("Remit To", "Payment Details"),
        "page": ("Page",),
        "carried": ("Carried forward",),
    },
    money_forms=(lambda a: f"${point(a)}", lambda a: f"$ {point(a)}", lambda a: f"USD {point(a)}"),
    number_form=point,
    date_forms=(
        lambda d: f"{d:%m/%d/%Y}",
        lambda d: f"{_month(d, 'en')} {d.day}, {d.year}",
        lambda d: f"{_month(d, 'en')[:3]} {d.day}, {d.year}",
    ),
    rates=("8.25", "7", "6.5"),
    goods=(
        ("Industrial shelving unit, 72 in", "ea", "184.50"),
        ("Forklift battery service", "hr", "95.00"),
        ("Nitrile gloves, box of 100", "box", "11.85"),
        ("Pallet wrap 18 in x 1500 ft", "roll", "23.40"),
        ("Conveyor belt inspection", "hr", "120.00"),
        ("LED high bay light 150W", "ea", "89.99"),
        ("Safety signage kit", "set", "46.25"),
        ("Hydraulic hose 3/8 in", "ft", "4.75"),
        ("Freight and handling", "", "65.00"),
    ),
    surnames=("Calloway", "Brightwater", "Hollis", "Marrow Creek", "Tamarack", "Quillfeather"),
    trades=("Supply", "Logistics", "Tool & Die", "Electric", "Packaging"),
    legal_forms=("LLC", "Inc.", "Co."),
    streets=("418 Millrace Road", "2207 Granger Avenue", "95 Foundry Street", "1640 Kestrel Blvd"),
    towns=("Dayton, OH 45402", "Boise, ID 83702", "Tulsa, OK 74103", "Fresno, CA 93721"),
    banks=(("Prairie Merchants Bank", ""),),
    prefixes=("INV-", "", "SI", "A-"),
    thanks="Thank you for your business. Please quote the invoice number with your payment.",
)

GB = Locale(
    country="GB",
    lang="en",
    currency="GBP",
    labels={
        "title": ("INVOICE", "VAT Invoice", "Tax Invoice"),
        "number": ("Invoice No", "Invoice Number", "Invoice ref"),
        "date": ("Invoice Date", "Date / Tax Point", "Date"),
        "due": ("Due Date", "Payment due by"),
        "order": ("Your Order No", "Order Ref"),
        "bill_to": ("Invoice To", "Customer", "Bill To"),
        "tax_id": ("VAT Reg No", "VAT No.", "VAT Registration Number"),
        "item": ("Description", "Details"),
        "quantity": ("Quantity", "Qty"),
        "price": ("Unit Price", "Price each"),
        "amount": ("Net Amount", "Amount"),
        "net": ("Net Total", "Subtotal", "Total excl. VAT"),
        "tax": ("VAT", "VAT @"),
        "tax_total": ("Total VAT",),
        "total": ("Total incl. VAT", "Invoice Total", "Total"),
        "due_amount": ("Amount Due", "Balance to pay"),
        "bank": ("Bank Details", "Payment by BACS"),
        "page": ("Page",),
        "carried": ("Carried forward",),
    },
    money_forms=(lambda a: f"£{point(a)}", lambda a: f"£ {point(a)}"),
    number_form=point,
    date_forms=(
        lambda d: f"{d:%d/%m/%Y}",
        lambda d: f"{d.day} {_month(d, 'en')} {d.year}",
        lambda d: f"{d:%d}-{_month(d, 'en')[:3]}-{d.year}",
    ),
    rates=("20", "20", "5"),
    goods=(
        ("Oak worktop 3 m", "each", "212.00"),
        ("Boiler service, annual", "each", "84.00"),
        ("Copper pipe 22 mm", "m", "6.35"),
        ("Site survey", "hour", "62.50"),
        ("Galvanised brackets", "pack", "14.20"),
        ("Paint, trade white 10 l", "tin", "48.90"),
        ("Delivery to site", "", "35.00"),
    ),
    surnames=("Thistlewick", "Ravensmoor", "Pemberlow", "Eastcombe", "Harrowgill"),
    trades=("Joinery", "Heating", "Supplies", "Surveyors", "Print Works"),
    legal_forms=("Ltd", "Limited", "LLP"),
    streets=("14 Tannery Lane", "Unit 6, Wharf Court", "27 Corn Hill", "3 Station Parade"),
    towns=("Bristol BS1 4QA", "Leeds LS2 7EW", "Norwich NR3 1AX", "Exeter EX1 1GE"),
    banks=(("Harbour & County Bank", "HACOGB2L"),),
    prefixes=("", "SI-", "GB", "TW/"),
    thanks="Payment terms: 30 days from date of invoice. Registered in England and Wales.",
)

DE = Locale(
    country="DE",
    lang="de",
    currency="EUR",
    labels={
        "title": ("Rechnung", "RECHNUNG"),
        "number": ("Rechnungsnummer", "Rechnungs-Nr.", "Rechnung Nr."),
        "date": ("Rechnungsdatum", "Datum"),
        "due": ("Zahlbar bis", "Fällig am"),
        "order": ("Ihre Bestellnummer", "Bestell-Nr."),
        "bill_to": ("Rechnungsempfänger", "Rechnung an"),
        "tax_id": ("USt-IdNr.", "USt-ID", "Umsatzsteuer-Identifikationsnummer"),
        "item": ("Bezeichnung", "Beschreibung", "Artikel"),
        "quantity": ("Menge", "Anzahl"),
        "price": ("Einzelpreis", "E-Preis"),
        "amount": ("Gesamtpreis", "Betrag"),
        "net": ("Nettobetrag", "Summe netto", "Zwischensumme (netto)"),
        "tax": ("zzgl. USt.", "Umsatzsteuer", "MwSt."),
        "tax_total": ("Umsatzsteuer gesamt",),
        "total": ("Rechnungsbetrag", "Gesamtbetrag", "Bruttobetrag"),
        "due_amount": ("Zahlbetrag", "Zu zahlen"),
        "bank": ("Bankverbindung",),
        "page": ("Seite",),
        "carried": ("Übertrag",),
    },
    money_forms=(lambda a: f"{comma(a)} €", lambda a: f"{comma(a)} EUR"),
    number_form=comma,
    date_forms=(lambda d: f"{d:%d.%m.%Y}", lambda d: f"{d.day}. {_month(d, 'de')} {d.year}"),
    rates=("19", "19", "7"),
    goods=(
        ("Rollcontainer, 3 Schubladen", "Stk", "149,90"),
        ("Wartung Lüftungsanlage", "Std", "78,50"),
        ("Kopierpapier A4, 80 g", "Pkt", "4,29"),
        ("Fachbuch Arbeitsschutz", "Stk", "32,71"),
        ("Kabelkanal 40 x 60 mm", "m", "3,85"),
        ("Transportpauschale", "psch", "45,00"),
        ("Schmierfett, Kartusche 400 g", "Stk", "12,60"),
        ("Kaffee, ganze Bohne 1 kg", "kg", "14,95"),
    ),
    surnames=("Lindhorst", "Übersee", "Kranzfelder", "Morgenthal", "Steinbrügge"),
    trades=("Bürobedarf", "Gebäudetechnik", "Werkzeughandel", "Elektro", "Logistik"),
    legal_forms=("GmbH", "GmbH & Co. KG", "e.K."),
    streets=("Am Alten Speicher 7", "Gerberstraße 112", "Mühlenweg 3a", "Industriestr. 58"),
    towns=("28195 Bremen", "99084 Erfurt", "72070 Tübingen", "45127 Essen"),
    banks=(("Sparbank Nordtal", "SPNTDE21XXX"), ("Volkskasse Mittelmark", "VKMMDEM1XXX")),
    prefixes=("RE-", "", "R", "{year}/"),
    thanks="Bitte überweisen Sie den Betrag unter Angabe der Rechnungsnummer. Vielen Dank für Ihren Auftrag.",
)

FR = Locale(
    country="FR",
    lang="fr",
    currency="EUR",
    labels={
        "title": ("FACTURE", "Facture"),
        "number": ("Facture n°", "N° de facture", "Numéro de facture"),
        "date": ("Date de facture", "Date d'émission", "Date"),
        "due": ("Échéance", "Date d'échéance"),
        "order": ("Votre commande", "Réf. commande"),
        "bill_to": ("Facturé à", "Client", "Adresse de facturation"),
        "tax_id": ("N° TVA", "TVA intracommunautaire", "N° TVA intracom."),
        "item": ("Désignation", "Description"),
        "quantity": ("Qté", "Quantité"),
        "price": ("P.U. HT", "Prix unitaire HT"),
        "amount": ("Montant HT", "Total HT"),
        "net": ("Total HT", "Montant total HT"),
        "tax": ("TVA", "Montant TVA"),
        "tax_total": ("Total TVA",),
        "total": ("Total TTC", "Montant TTC"),
        "due_amount": ("Net à payer",),
        "bank": ("Coordonnées bancaires", "Règlement par virement"),
        "page": ("Page",),
        "carried": ("À reporter",),
    },
    money_forms=(lambda a: f"{french(a)} €", lambda a: f"{french(a)} EUR"),
    number_form=french,
    date_forms=(lambda d: f"{d:%d/%m/%Y}", lambda d: f"{d.day} {_month(d, 'fr')} {d.year}"),
    rates=("20", "20", "5.5"),
    goods=(
        ("Étagère métallique 180 cm", "u", "96,40"),
        ("Entretien des espaces verts", "h", "42,00"),
        ("Cartouche d'encre noire", "u", "27,15"),
        ("Peinture façade 15 l", "pot", "118,90"),
        ("Livraison", "", "25,00"),
        ("Carrelage grès 60 x 60", "m²", "34,80"),
        ("Formation sécurité", "jour", "640,00"),
    ),
    surnames=("Valrieux", "Chantegrive", "Montclar", "Bois-Lézard", "Fontaubert"),
    trades=("Bâtiment", "Services", "Fournitures", "Conseil", "Imprimerie"),
    legal_forms=("SARL", "SAS", "EURL"),
    streets=("12 rue des Tanneurs", "8 quai de la Mairie", "45 avenue Jean Lurçat", "3 impasse du Four"),
    towns=("35000 Rennes", "63000 Clermont-Ferrand", "21000 Dijon", "64100 Bayonne"),
    banks=(("Crédit du Littoral", "CRLTFRPPXXX"),),
    prefixes=("F", "FA-", "", "FC{year}-"),
    thanks="Pas d'escompte pour paiement anticipé. Indemnité forfaitaire pour frais de recouvrement : 40 €.",
)

ES = Locale(
    country="ES",
    lang="es",
    currency="EUR",
    labels={
        "title": ("FACTURA", "Factura"),
        "number": ("Factura nº", "Nº de factura", "Número de factura"),
        "date": ("Fecha de factura", "Fecha", "Fecha de emisión"),
        "due": ("Vencimiento", "Fecha de vencimiento"),
        "order": ("Su pedido", "Nº de pedido"),
        "bill_to": ("Facturar a", "Cliente", "Datos del cliente"),
        "tax_id": ("NIF", "CIF", "NIF-IVA"),
        "item": ("Concepto", "Descripción"),
        "quantity": ("Cantidad", "Cant."),
        "price": ("Precio", "Precio unitario"),
        "amount": ("Importe",),
        "net": ("Base imponible", "Subtotal"),
        "tax": ("IVA", "Cuota IVA"),
        "tax_total": ("Total IVA",),
        "total": ("Total factura", "Total", "Importe total"),
        "due_amount": ("Total a pagar",),
        "bank": ("Forma de pago: transferencia", "Datos bancarios"),
        "page": ("Página",),
        "carried": ("Suma y sigue",),
    },
    money_forms=(lambda a: f"{comma(a)} €", lambda a: f"{comma(a)}€"),
    number_form=comma,
    date_forms=(
        lambda d: f"{d:%d/%m/%Y}",
        lambda d: f"{d.day} de {_month(d, 'es')} de {d.year}",
        lambda d: f"{d:%d-%m-%Y}",
    ),
    rates=("21", "21", "10"),
    goods=(
        ("Silla ergonómica de oficina", "ud", "164,50"),
        ("Mantenimiento informático", "h", "38,00"),
        ("Tóner láser negro", "ud", "58,75"),
        ("Transporte urgente", "", "22,40"),
        ("Panel aislante 120 x 60", "m2", "9,65"),
        ("Alquiler de carretilla", "día", "85,00"),
    ),
    surnames=("Robledal", "Peñaclara", "Torrealta", "Casavella", "Montefrío"),
    trades=("Suministros", "Instalaciones", "Logística", "Consultores", "Gráficas"),
    legal_forms=("S.L.", "S.A.", "S.L.U."),
    streets=("Calle del Molino 18", "Avda. de la Estación 204", "Plaza Mayor 5", "Polígono El Olmo, nave 9"),
    towns=("50001 Zaragoza", "37002 Salamanca", "46003 Valencia", "33206 Gijón"),
    banks=(("Caja del Ebro Alto", "CEBAESMMXXX"),),
    prefixes=("F-", "{year}/", "", "A"),
    thanks="Gracias por su confianza. Inscrita en el Registro Mercantil.",
)

LOCALES = {locale.country: locale for locale in (US, GB, DE, FR, ES)}
