"""Papers as HTML: one file, its chart inline, no script, nothing from anywhere else, every text escaped."""

from collections.abc import Iterable, Sequence
from html import escape

from gateway.papers.chart import chart, title_of
from gateway.papers.dossier import Dossier
from gateway.papers.drawing import to_svg
from gateway.papers.qr import qr_drawing
from gateway.papers.repairform import RepairForm
from gateway.papers.sheet import UNKNOWN, Fact, Sheet, Table

#: What a browser may do with a paper: show it.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"

_STYLE = """
body{font:14px/1.4 system-ui,'Noto Sans','Noto Sans SC',sans-serif;
color:#1f2937;max-width:56rem;margin:2rem auto;padding:0 1rem}
header{display:flex;gap:1rem;align-items:flex-start;border-bottom:2px solid #1f2937;padding-bottom:.5rem}
header div{flex:1}header svg{width:6rem;flex:none}
h1{font-size:1.5rem;margin:0}h2{font-size:1rem;margin:1.2rem 0 .3rem;border-bottom:1px solid #d1d5db}
p{margin:.3rem 0}.lead{font-size:1.1rem}.quiet,td.none,dd.none{color:#6b7280}
.mark{color:#fff;padding:.1rem .5rem;border-radius:.2rem;background:#0e7490}
.mark.major{background:#b45309}.mark.critical,.danger{background:#b91c1c}
.danger{color:#fff;padding:.4rem .6rem;font-weight:600}
.two{display:grid;grid-template-columns:1fr 1fr;gap:0 2rem}
dl{display:grid;grid-template-columns:7rem 1fr;gap:.1rem .6rem;margin:.2rem 0}
dt{color:#6b7280}dd{margin:0;overflow-wrap:anywhere}
dl.form{grid-template-columns:16rem 1fr}.blank{display:block;border-bottom:1px solid #9ca3af;height:1.3rem}
table{border-collapse:collapse;width:100%}th{text-align:left;color:#6b7280;font-weight:400}
td,th{padding:.15rem .5rem .15rem 0;border-bottom:1px solid #e5e7eb;overflow-wrap:anywhere;vertical-align:top}
svg text{font-family:inherit}
@media print{body{margin:0;font-size:11px}}@media(max-width:40rem){.two{display:block}}
"""


def order_html(sheet: Sheet, dossier: Dossier) -> str:
    """Return the page of an order."""
    qr = qr_drawing(sheet.link)
    body = [
        "<header><div>",
        f'<h1>{escape(sheet.title)} <small class="mark {sheet.severity}">{sheet.severity}</small></h1>',
        f'<p class="quiet">{escape(sheet.order_id)}, opened {sheet.opened}, {escape(sheet.state)}'
        f"{_link(sheet.link)}</p>",
        f"</div>{to_svg(qr) if qr else ''}</header>",
        '<p class="danger">Danger: someone or something can come to harm. Tell the owner at once.</p>'
        if sheet.danger
        else "",
        f'<p class="lead">{escape(sheet.lead)}</p>',
        '<div class="two"><section>',
        _facts("Device", sheet.device),
        "</section><section>",
        _facts("Where and when", sheet.place),
        "</section></div>",
        _heading("What was seen"),
        _table(sheet.evidence),
        *(f"<p>{escape(probe)}</p>" for probe in sheet.probes),
        f'<p class="quiet">{escape(sheet.reasons)}</p>' if sheet.reasons else "",
        *_chart(dossier),
        _heading("What to bring"),
        _table(sheet.parts),
        f"<p>{escape(sheet.work)}</p>" if sheet.work else "",
        *(_facts_of("Before anyone travels", sheet.before)),
        '<div class="two"><section>',
        _facts("Who pays", sheet.pays),
        "</section><section>",
        _facts("On their way", sheet.sent) if sheet.sent else "",
        "</section></div>",
        _facts("Missing, and why", sheet.missing) if sheet.missing else "",
        f'<p class="quiet">{escape(sheet.footer)}</p>',
    ]
    return _page(f"{sheet.order_id} {sheet.title}", body)


def form_html(form: RepairForm) -> str:
    """Return the European Repair Information Form of an order."""
    body = [
        "<header><div><h1>European Repair Information Form</h1>",
        '<p class="quiet">Directive (EU) 2024/1799, Annex I</p></div></header>',
    ]
    for section in dict.fromkeys(field.section for field in form.fields):
        body += [_heading(section), '<dl class="form">']
        for field in form.fields:
            if field.section == section:
                value = escape(field.value) if field.value else '<span class="blank"></span>'
                note = f'<span class="quiet">{escape(field.note)}</span>' if field.note else ""
                body.append(f"<dt>{escape(field.name)}</dt><dd>{value}{note}</dd>")
        body.append("</dl>")
    body.append(f'<p class="quiet">{escape(form.footer)}</p>')
    return _page(f"European Repair Information Form {form.order_id}", body)


def _page(title: str, body: Iterable[str]) -> str:
    lines = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">",
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>",
        *(line for line in body if line),
        "</body></html>",
    ]
    return "\n".join(lines) + "\n"


def _heading(text: str) -> str:
    return f"<h2>{escape(text)}</h2>"


def _link(address: str | None) -> str:
    if address is None or not address.startswith(("http://", "https://")):
        return ""
    return f', <a href="{escape(address)}">{escape(address)}</a>'


def _facts(title: str, facts: Sequence[Fact]) -> str:
    rows = "".join(
        f"<dt>{escape(fact.name)}</dt><dd{_quiet(fact.value)}>{escape(fact.value)}</dd>" for fact in facts
    )
    return f"{_heading(title)}<dl>{rows}</dl>"


def _facts_of(title: str, lines: Sequence[str]) -> list[str]:
    return [_heading(title), *(f"<p>{escape(line)}</p>" for line in lines)] if lines else []


def _quiet(value: str) -> str:
    return ' class="none"' if value == UNKNOWN else ""


def _table(table: Table) -> str:
    if not table.rows:
        return f"<p>{escape(table.empty)}</p>"
    headings = "".join(f"<th>{escape(one)}</th>" for one in table.headings)
    rows = "".join(
        "<tr>" + "".join(f"<td{_quiet(cell)}>{escape(cell)}</td>" for cell in row) + "</tr>"
        for row in table.rows
    )
    return f"<table><tr>{headings}</tr>{rows}</table>"


def _chart(dossier: Dossier) -> list[str]:
    if dossier.course is None:
        return []
    drawing = chart(dossier.course, dossier.zone, width=182, height=52)
    if drawing is None:
        return ['<p class="quiet">No reading of it is stored around the onset.</p>']
    return [
        f'<figure style="margin:.6rem 0"><figcaption>{escape(title_of(dossier.course))}</figcaption>',
        to_svg(drawing),
        "</figure>",
    ]
