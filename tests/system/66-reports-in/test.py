"""What others saw of our domains: reports come by mail, are read, kept, added up and shown.

Names come from nsd and unbound; the mail comes from an address of the loopback that SPF
of the reporter allows, or does not.
"""
import gzip
import http.client
import io
import json
import smtplib
import time
import zipfile
from email.message import EmailMessage

import check
from appliance import insecure_tls

GOOD, BAD = "127.0.0.21", "127.0.0.66"
DMARC_TO, TLS_TO = "dmarc-reports@home.example", "tls-reports@home.example"
ANN = "ann@home.example"

ZONE = """
@          IN TXT "v=spf1 ip4:127.0.0.21 -all"
_dmarc     IN TXT "v=DMARC1; p={policy}"
"""


def setup(world):
    dns = world.names()
    dns.zones["reporter.example"] = ZONE.format(policy="reject")
    dns.zones["loose.example"] = ZONE.format(policy="none")
    dns.stop()
    dns.start()
    world.appliance()
    world.token = world.home.json("token", "create", "tests")["token"]


def row(source="192.0.2.1", count=5, spf="pass", dkim="pass", done="none",
        auth="<spf><domain>home.example</domain><result>pass</result></spf>",
        header_from="home.example"):
    return (f"<record><row><source_ip>{source}</source_ip><count>{count}</count>"
            f"<policy_evaluated><disposition>{done}</disposition><dkim>{dkim}</dkim>"
            f"<spf>{spf}</spf></policy_evaluated></row><identifiers><header_from>{header_from}"
            f"</header_from></identifiers><auth_results>{auth}</auth_results></record>")


def dmarc(report_id, rows, reporter="reporter.example", domain="home.example", begin=None,
          space=""):
    begin = begin or int(time.time()) // 86400 * 86400 - 86400
    return (f'<?xml version="1.0" encoding="UTF-8"?>\n<feedback{space}><report_metadata>'
            f"<org_name>{reporter}</org_name><email>noreply@{reporter}</email>"
            f"<report_id>{report_id}</report_id><date_range><begin>{begin}</begin>"
            f"<end>{begin + 86399}</end></date_range></report_metadata><policy_published>"
            f"<domain>{domain}</domain><p>none</p></policy_published>{''.join(rows)}"
            "</feedback>").encode()


def mail(content, kind="gzip", sender="dmarc@reporter.example", to=DMARC_TO, subject="Report"):
    """The kinds: gzip, zip, xml, json, text."""
    m = EmailMessage()
    m["From"], m["To"], m["Subject"] = sender, to, subject
    m["Message-ID"] = f"<{time.monotonic_ns()}@test.invalid>"
    m.set_content("This is a report.\n")
    if kind == "gzip":
        m.add_attachment(gzip.compress(content), maintype="application", subtype="gzip",
                         filename="r.xml.gz")
    elif kind == "zip":
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as z:
            z.writestr("r.xml", content)
        m.add_attachment(packed.getvalue(), maintype="application", subtype="zip",
                         filename="r.zip")
    elif kind == "xml":
        m.add_attachment(content.decode(), subtype="xml", filename="r.xml")
    elif kind == "json":
        m.add_attachment(content, maintype="application", subtype="tlsrpt+json",
                         filename="r.json")
    return m.as_bytes().replace(b"\n", b"\r\n")


def send(world, data, sender="dmarc@reporter.example", to=(DMARC_TO,), client=GOOD):
    with smtplib.SMTP(world.home.address, 25, "client.reporter.example", timeout=60,
                      source_address=(client, 0)) as s:
        s.ehlo()
        check.equal(s.mail(sender)[0], 250, f"MAIL of {sender}")
        for rcpt in to:
            check.equal(s.rcpt(rcpt)[0], 250, f"RCPT {rcpt}")
        return s.data(data)[0]


def call(world, path, token=None):
    """-> (status, headers, body) of a GET"""
    c = http.client.HTTPSConnection(world.home.address, 443, context=insecure_tls(), timeout=20)
    c.request("GET", "/api/v1" + path,
              headers={"Authorization": f"Bearer {token or world.token}"})
    answer = c.getresponse()
    body = answer.read()
    c.close()
    return answer.status, answer.headers, body


def get(world, path):
    status, _, body = call(world, path)
    check.equal(status, 200, f"{path}: {body[:200]}")
    return json.loads(body)


def events(world, query, name):
    """The events of that name in the one message that the query finds."""
    for trace in world.home.json("trace", query)["items"]:
        for event in world.home.json("trace", "show", trace["id"])["items"]:
            if event["event"] == name:
                yield event


def received(world, more=""):
    return get(world, "/reports/received?unproven=true" + more)["items"]


def test_comes_in(world):
    check.equal(send(world, mail(dmarc("first", [row()]))), 250, "taken")
    found = check.until(lambda: received(world), "it is there")
    first = found[0]
    for key, value in (("kind", "dmarc"), ("domain", "home.example"), ("proven", True),
                       ("sender", "reporter.example"), ("reporter", "reporter.example"),
                       ("report_id", "first"), ("good", 5), ("bad", 0), ("rows", 1)):
        check.equal(first[key], value, key)
    one = get(world, f"/reports/received/{first['id']}")
    check.equal(one["items"][0]["source"], "192.0.2.1", "its row")
    status, headers, body = call(world, f"/reports/received/{first['id']}/raw")
    check.equal(status, 200, "raw")
    check.equal(headers["Content-Type"], "application/xml", "type")
    check.contains(headers["Content-Disposition"], "attachment", "never shown in the browser")
    check.equal(body, dmarc("first", [row()]), "the document as it was")
    sums = get(world, "/reports/dmarc?domain=home.example")
    check.equal(sums["totals"], {"reports": 1, "aligned": 5, "failed": 0}, "totals")
    check.equal(sums["items"][0]["origin"], "192.0.2.1", "its source")
    check.until(lambda: world.home.json("queue", "list")["items"] == [], "the queue is empty")
    check.until(lambda: list(events(world, f"to:{DMARC_TO}", "report.received")), "told")
