"""What others saw of our domains: reports come by mail, are read, kept, added up and shown.

Names come from nsd and unbound; the mail comes from an address of the loopback that SPF
of the reporter allows, or does not.
"""
import gzip
import http.client
import io
import json
import os
import pathlib
import signal
import smtplib
import subprocess
import sys
import time
import zipfile
from email.message import EmailMessage

import check
from appliance import ROOT, SANITIZED, insecure_tls

FOLDER = pathlib.Path(__file__).parent
sys.path.insert(0, str(FOLDER))
import shapes  # noqa: E402, beside this file

TODAY = int(time.time()) // 86400 * 86400  # at the beginning, whatever comes while this runs
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
    dns.zones["peer.example"] += '@ IN TXT "v=spf1 ip4:127.0.0.20 -all"\n'
    dns.zones["loose.example"] = ZONE.format(policy="none")
    dns.stop()
    dns.start()
    world.appliance()
    world.home.add_admin("owner")
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
    begin = begin or TODAY - 86400
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


def browse(world, stage):
    """The page in a real browser."""
    home = world.home
    env = dict(os.environ, URL=f"https://{home.hostname}", NAME="owner", HOME=str(world.out),
               PASSWORD=home.passwords["owner"], SHOTS=str(world.out))
    done = subprocess.run(["node", str(ROOT / "tests" / "browser" / "reports.mjs"), stage], env=env,
                          stdout=subprocess.PIPE, text=True, timeout=600)
    print(done.stdout, end="", flush=True)
    check.equal(done.returncode, 0, f"the page, {stage}")


def test_page_before(world):
    browse(world, "empty")


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


def test_every_shape(world):
    """The older form and the newer one, packed as the large ones pack them."""
    new = ' xmlns="urn:ietf:params:xml:ns:dmarc-2.0"'
    ses = ("<dkim><domain>amazonses.com</domain><selector>x</selector><result>pass</result></dkim>"
           "<spf><domain>mail.amazonses.com</domain><result>pass</result></spf>")
    for name, kind, text in (
            ("by-zip", "zip", dmarc("by-zip", [row("192.0.2.7", 3)])),
            ("by-xml", "xml", dmarc("by-xml", [row("2001:DB8::7", 2)])),
            ("newer", "gzip", dmarc("newer", [
                row("192.0.2.8", 40, spf="fail", dkim="fail", done="quarantine", auth=ses),
                row("192.0.2.9", 10, spf="fail", dkim="fail", done="reject", auth=ses)], space=new))):
        check.equal(send(world, mail(text, kind)), 250, name)
        found = check.until(lambda n=name: [r for r in received(world) if r["report_id"] == n],
                            f"{name} is there")
        _, _, body = call(world, f"/reports/received/{found[0]['id']}/raw")
        check.equal(body.replace(b"\r\n", b"\n").strip(), text, f"{name} as it was")
    sums = get(world, "/reports/dmarc?domain=home.example")
    check.equal(sums["totals"], {"reports": 4, "aligned": 10, "failed": 50}, "totals")
    first = sums["items"][0]
    check.equal(first["origin"], "amazon_ses", "the largest first, by the name of the service")
    check.equal(first["service"]["name"], "Amazon SES", "in words")
    check.equal((first["messages"], first["quarantined"], first["rejected"]), (50, 40, 10), "sums")
    check.contains(first["advice"], "Amazon SES", "what to do")
    check.equal(first["spf_term"], "include:amazonses.com", "what lets it send")
    sources = get(world, "/reports/dmarc?domain=home.example&origin=amazon_ses")["items"]
    check.equal([s["source"] for s in sources], ["192.0.2.8", "192.0.2.9"], "its addresses")
    check.equal(sum(d["failed"] for d in sums["days"]), 50, "by day")
    check.equal(sums["reporters"][0]["sender"], "reporter.example", "by reporter")


def test_pages(world):
    path, seen = "/reports/dmarc?domain=home.example&limit=1", []
    while path:
        page = get(world, path)
        seen += [i["origin"] for i in page["items"]]
        path = page["next"] and f"/reports/dmarc?domain=home.example&limit=1&cursor={page['next']}"
    check.equal(seen, ["amazon_ses", "192.0.2.1", "192.0.2.7", "2001:db8::7"], "page by page")


def test_counts_once(world):
    before = get(world, "/reports/dmarc")["totals"]
    check.equal(send(world, mail(dmarc("first", [row(count=900)]))), 250, "again")
    check.until(lambda: list(events(world, f"to:{DMARC_TO}", "report.repeated")), "told")
    check.equal(get(world, "/reports/dmarc")["totals"], before, "the same report counts once")
    # A stranger who sends a report of that name under another's flag changes nothing.
    forged = mail(dmarc("first", [row(count=900)]), sender="dmarc@loose.example")
    check.equal(send(world, forged, "dmarc@loose.example", client=BAD), 250, "a forged one")
    found = check.until(lambda: [r for r in received(world) if not r["proven"]], "it is kept")
    check.equal(found[0]["sender"], "loose.example", "with who says to have sent it")
    sums = get(world, "/reports/dmarc")
    check.equal(sums["totals"], before, "and left out of the sums")
    check.equal(sums["unproven_reports"], 1, "which say so")
    check.equal(get(world, "/reports/dmarc?unproven=true")["totals"]["aligned"],
                before["aligned"] + 900, "unless somebody wants it")


def failure(kind, count, mx="mail.home.example"):
    return {"result-type": kind, "sending-mta-ip": "192.0.2.20", "receiving-mx-hostname": mx,
            "receiving-ip": "127.0.0.10", "failed-session-count": count}


def tls(report_id, good, failures, domain="home.example"):
    return json.dumps({
        "organization-name": "Reporter Inc.", "contact-info": "x@reporter.example",
        "report-id": report_id,
        "date-range": {"start-datetime": time.strftime("%Y-%m-%dT00:00:00Z", time.gmtime(TODAY)),
                       "end-datetime": time.strftime("%Y-%m-%dT23:59:59Z", time.gmtime(TODAY))},
        "policies": [{
            "policy": {"policy-type": "sts", "policy-domain": domain,
                       "policy-string": ["version: STSv1"], "mx-host": ["mail.home.example"]},
            "summary": {"total-successful-session-count": good,
                        "total-failure-session-count": sum(f["failed-session-count"]
                                                           for f in failures)},
            "failure-details": failures}]}).encode()


def test_tls(world):
    text = tls("t1", 5326, [failure("certificate-expired", 100),
                            failure("starttls-not-supported", 203)])
    check.equal(send(world, mail(text, "json", to=TLS_TO), to=(TLS_TO,)), 250, "plain")
    check.equal(send(world, mail(tls("t2", 10, [failure("certificate-expired", 7)]), "gzip",
                                 to=TLS_TO), to=(TLS_TO,)), 250, "packed")
    check.until(lambda: get(world, "/reports/tls")["totals"]["reports"] == 2, "both are there")
    sums = get(world, "/reports/tls?domain=home.example")
    check.equal(sums["totals"], {"reports": 2, "secured": 5336, "failed": 310}, "totals")
    kinds = [(i["kind"], i["mx"], i["sessions"]) for i in sums["items"]]
    check.equal(kinds, [("starttls-not-supported", "mail.home.example", 203),
                        ("certificate-expired", "mail.home.example", 107)], "by kind and MX")
    check.contains(sums["items"][1]["meaning"], "expired", "in plain words")
    found = received(world, "&kind=tls")
    status, headers, body = call(world, f"/reports/received/{found[-1]['id']}/raw")
    check.equal((status, headers["Content-Type"]), (200, "application/json"), "raw")
    check.equal(json.loads(body), json.loads(text), "as it was")


def test_page(world):
    browse(world, "full")


def test_command(world):
    out = world.home.run("reports", "dmarc", "home.example").stdout
    check.contains(out, "4 reports: 10 messages aligned, 50 not", "sums")
    check.contains(out, "1 more whose sender is not proven are left out", "what is left out")
    check.contains(out, "Amazon SES", "who")
    out = world.home.run("reports", "tls", "--days", "2").stdout
    check.contains(out, "2 reports: 5336 sessions secured, 310 not", "sums")
    check.equal(world.home.json("reports", "tls")["totals"]["failed"], 310, "as JSON")
    rows = world.home.json("reports", "list", "--unproven")["items"]
    check.equal(len(rows), 7, "all of them")
    check.equal(world.home.json("reports", "show", rows[0]["id"])["id"], rows[0]["id"], "one")
    newer = [r["id"] for r in rows if r["report_id"] == "newer"][0]
    check.contains(world.home.run("reports", "show", newer).stdout, "domains=amazonses.com, mail.amazonses.com",
                   "lists of words in its rows")
    check.equal(world.home.run("reports", "dmarc", "--days", "x", check=False).returncode, 2, "usage")


def inbox(world, subject):
    return world.home.find(ANN, f"Subject: {subject}", "INBOX")


def test_what_is_none(world):
    """It goes whole to the postmaster, who is whoever was there first."""
    bombs = {"bomb by gzip": gzip.compress(b"<feedback>" + b" " * (64 << 20)),
             "nested": gzip.compress(gzip.compress(dmarc("nested", [row()])))}
    entity = dmarc("x", [row()]).replace(b"<feedback>", b'<!DOCTYPE f [<!ENTITY a "'
                                         + b"b" * 1000 + b'">]><feedback>&a;')
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("r.xml", b"<feedback>" + b" " * (64 << 20))
    bombs["bomb by zip"] = packed.getvalue()
    mails = {"no report": mail(b"", "text", subject="no report"),
             "broken": mail(dmarc("x", [row()])[:-40], subject="broken"),
             "with entities": mail(entity, subject="with entities"),
             "of another domain": mail(dmarc("x", [row()], domain="peer.example"),
                                       subject="of another domain")}
    for name, packed in bombs.items():
        m = EmailMessage()
        m["From"], m["To"], m["Subject"] = "dmarc@reporter.example", DMARC_TO, name
        m.add_attachment(packed, maintype="application", subtype="gzip", filename="r.gz")
        mails[name] = m.as_bytes().replace(b"\n", b"\r\n")
    before = len(received(world))
    for name, data in mails.items():
        check.equal(send(world, data), 250, name)
    for name in mails:
        check.until(lambda n=name: inbox(world, n), f"{name}: somebody has it")
    check.until(lambda: world.home.json("queue", "list")["items"] == [], "nothing waits")

    def told():
        return [e["fields"]["reason"] for e in events(world, f"to:{DMARC_TO}", "report.refused")]
    # The delivery log is written behind the queue.
    check.until(lambda: len(told()) >= len(mails), "told of each")
    check.equal(len(told()), len(mails), f"one line each: {told()}")
    check.equal(len(received(world)), before, "none of them counts")


def cpu_ms(world):
    """Of the queue process, which reads them."""
    pid = world.home.workers()["queue"][0]
    stat = open(f"/proc/{pid}/stat", encoding="ascii").read().rsplit(")", 1)[1].split()
    return (int(stat[11]) + int(stat[12])) * 1000 // os.sysconf("SC_CLK_TCK")


def test_bombs_cost_little(world):
    """R43: less than a second of the processor each, and other mail goes on meanwhile."""
    rows = [row(f"198.51.{n // 250}.{n % 250}", 1) for n in range(9999)]
    large = dmarc("large", rows)
    eight = EmailMessage()
    eight["From"], eight["To"], eight["Subject"] = "dmarc@reporter.example", DMARC_TO, "eight"
    # Nearly 10 MiB each, packed just not so tightly that it would be a bomb.
    filler = b"".join(b"<a>" + os.urandom(150).hex().encode() + b"b" * 12000 + b"</a>"
                      for _ in range(840))
    for n in range(8):
        eight.add_attachment(gzip.compress(b"<feedback>" + filler),
                             maintype="application", subtype="gzip", filename=f"{n}.gz")
    for name, data in (("large", mail(large, subject="large")),
                       ("eight", eight.as_bytes().replace(b"\n", b"\r\n"))):
        before = cpu_ms(world)
        check.equal(send(world, data), 250, name)
        if name == "large":
            check.until(lambda: [r for r in received(world) if r["report_id"] == "large"], name)
        else:
            check.until(lambda n=name: inbox(world, n), f"{name}: somebody has it")
        used = cpu_ms(world) - before
        print(f"  {name}: {len(data)} bytes, {used} ms")
        check.true(used < (5000 if SANITIZED else 1000), f"{name}: {used} ms of the processor")
    found = [r for r in received(world) if r["report_id"] == "large"][0]
    check.equal(found["good"], 9999, "all of them are in the sum")
    one = get(world, f"/reports/received/{found['id']}")
    check.equal(len(one["items"]), 2000, "the smallest are put together")
    check.equal(sum(i["count"] for i in one["items"]), 9999, "none is missing")


def test_person_gets_a_copy(world):
    world.home.run("alias", "add", TLS_TO, "bob@home.example")
    data = mail(tls("t3", 1, []), "json", to=TLS_TO, subject="copy for bob")
    check.equal(send(world, data, to=(TLS_TO,)), 250, "taken")
    check.until(lambda: world.home.find("bob@home.example", "Subject: copy for bob", "INBOX"),
                "bob has it")
    check.until(lambda: [r for r in received(world) if r["report_id"] == "t3"], "and it is read")
    tree = world.home.json("resolve", TLS_TO)
    check.equal(sorted(r["kind"] for r in tree["recipients"]), ["account", "reports"], "resolve")
    world.home.run("alias", "remove", TLS_TO)


def test_survives_kills(world):
    """The queue process dies again and again: nothing is lost, nothing counts twice."""
    count, before = 30, get(world, "/reports/dmarc")["totals"]["reports"]
    for n in range(count):
        check.equal(send(world, mail(dmarc(f"kill-{n}", [row(count=1)]))), 250, f"kill-{n}")
        if n % 5 == 0:
            pids = check.until(lambda: world.home.workers().get("queue"), "it comes back")
            os.kill(pids[0], signal.SIGKILL)
    check.until(lambda: get(world, "/reports/dmarc")["totals"]["reports"] == before + count,
                "all of them, once each")
    check.until(lambda: world.home.json("queue", "list")["items"] == [], "and nothing waits")


def test_rights(world):
    world.home.run("domain", "add", "other.example")
    token = world.home.json("token", "create", "narrow", "--domain", "other.example",
                            "--scope", "reports:read")["token"]
    check.equal(call(world, "/reports/dmarc", token)[0], 422, "which domain?")
    check.equal(call(world, "/reports/dmarc?domain=home.example", token)[0], 404, "not his")
    check.equal(call(world, "/reports/dmarc?domain=other.example", token)[0], 200, "his")
    first = received(world)[0]["id"]
    for path in ("", "/raw"):
        check.equal(call(world, f"/reports/received/{first}{path}", token)[0], 404, "not his")
    token = world.home.json("token", "create", "blind", "--scope", "trace:read")["token"]
    check.equal(call(world, "/reports/dmarc", token)[0], 403, "without the scope")


def put(world, path, body):
    c = http.client.HTTPSConnection(world.home.address, 443, context=insecure_tls(), timeout=20)
    c.request("PUT", "/api/v1" + path, json.dumps(body),
              {"Authorization": f"Bearer {world.token}", "Content-Type": "application/json"})
    answer = c.getresponse()
    check.equal(answer.status, 200, f"{path}: {answer.read()[:200]}")
    c.close()


def test_shapes_of_the_large(world):
    """As they are delivered: by swaks, and by a Postfix in between."""
    world.home.run("domain", "add", "shape.example")
    to = {"dmarc": "dmarc-reports@shape.example", "tls": "tls-reports@shape.example"}
    for name, make in (("dmarc", shapes.zip_alone), ("dmarc", shapes.gzip_related),
                       ("tls", shapes.tls_report)):
        path = world.out / f"{make.__name__}.eml"
        path.write_bytes(make("reporter.example", to[name], "shape.example"))
        done = subprocess.run(["swaks", "--server", world.home.address, "--local-interface", GOOD,
                               "--helo", "client.reporter.example", "--from",
                               "noreply@reporter.example", "--to", to[name], "--data",
                               f"@{path}"], stdout=subprocess.PIPE, text=True, timeout=60)
        check.equal(done.returncode, 0, f"{make.__name__}: {done.stdout}")
    found = check.until(lambda: (r := received(world, "&domain=shape.example"))[2:] and r, "all")
    check.equal([r["proven"] for r in found], [True] * 3, "proven")
    sums = get(world, "/reports/dmarc?domain=shape.example")
    check.equal(sums["totals"], {"reports": 2, "aligned": 21, "failed": 4}, "DMARC")
    check.equal([(o["origin"], o["messages"], o["aligned_dkim"]) for o in sums["items"]],
                [("mailchimp", 21, 21), ("198.51.100.10", 4, 0)], "by whom")
    sums = get(world, "/reports/tls?domain=shape.example")
    check.equal(sums["totals"], {"reports": 1, "secured": 79, "failed": 3}, "TLS")
    check.equal([(f["kind"], f["mx"], f["sessions"]) for f in sums["items"]],
                [("certificate-host-mismatch", "mail.shape.example", 2),
                 ("validation-failure", "", 1)], "what failed")


def test_made_by_opendmarc(world):
    """Report and mail are made by opendmarc-reports; a Postfix brings it."""
    peer = world.postfix()
    folder = world.out / "opendmarc"
    folder.mkdir()
    done = subprocess.run(["opendmarc-reports", "--smtp-server", peer.address, "--smtp-port", "25",
                           "--report-email", "dmarc@peer.example", "--report-org", "peer.example",
                           "--interval", "86400", "--noupdate"], cwd=folder, text=True, timeout=60,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env=dict(os.environ, PERL5LIB=str(FOLDER / "perl")))
    check.equal(done.returncode, 0, done.stdout)
    found = check.until(lambda: [r for r in received(world) if r["sender"] == "peer.example"],
                        "it came")
    one = get(world, f"/reports/received/{found[0]['id']}")
    check.equal((one["proven"], one["good"], one["bad"]), (True, 2, 1), "as it was seen")
    check.equal(sorted((r["source"], r["dkim"], r["done"]) for r in one["items"]),
                [("192.0.2.77", "fail", "none"), ("192.0.2.77", "pass", "none"),
                 ("192.0.2.78", "fail", "quarantine")], "row by row")


def test_advice(world):
    """What the next step of a ladder would have changed in the mail that was seen."""
    world.home.run("domain", "add", "steps.example")
    path = "/domains/steps.example/policies/dmarc"
    advice = get(world, path + "/advice")
    check.equal(advice["ready"], False, "nobody knows")
    check.contains(advice["text"], "Wait for reports", "says so")
    sendgrid = ("<dkim><domain>sendgrid.net</domain><result>pass</result></dkim>"
                "<spf><domain>em.sendgrid.net</domain><result>pass</result></spf>")
    bad = dict(spf="fail", dkim="fail")
    for name, days, rows in (
            ("old", 20, [row("192.0.2.1", 12000), row("192.0.2.50", 60, auth=sendgrid, **bad)]),
            ("late", 1, [row("192.0.2.1", 314), row("192.0.2.51", 30, auth="", **bad),
                         row("2001:db8::51", 6, auth="", **bad)])):
        text = dmarc(name, rows, domain="steps.example", begin=TODAY - days * 86400)
        check.equal(send(world, mail(text)), 250, name)
    check.until(lambda: get(world, path + "/advice")["reports"] == 2, "both are counted")
    advice = get(world, path + "/advice")
    check.equal(advice["next"], {"policy": "quarantine", "testing": True}, "the next step")
    check.equal((advice["affected"], advice["ready"]), (0, True), "which only tries it out")
    put(world, path, {"policy": "quarantine", "testing": True})
    advice = get(world, path + "/advice")
    check.equal(advice["text"],
                "Of 12410 messages in the reports of the last 30 days, 99.2 % were aligned. At the "
                "next step, 96 messages from 3 sources would have gone to Junk: SendGrid (60), "
                "192.0.2.51 (30), 2001:db8::51 (6). The step can be taken.", "in plain words")
    check.equal((advice["affected"], advice["ready"]), (96, True), "by number")
    check.equal([s["failed"] for s in advice["sources"]], [60, 30, 6], "sources")
    world.home.run("domain", "policy", "set", "steps.example", "tls_rpt", "--rua", "postmaster@steps.example")
    browse(world, "advice")
    check.equal(get(world, "/domains/steps.example/policies/tls_rpt")["rua"], "tls-reports@steps.example",
                "one click brings the reports here")
    sts = get(world, "/domains/home.example/policies/mta_sts/advice")
    check.equal(sts["next"], {"mode": "testing"}, "the ladder of MTA-STS")
    put(world, "/domains/home.example/policies/mta_sts", {"mode": "testing"})
    sts = get(world, "/domains/home.example/policies/mta_sts/advice")
    check.equal((sts["affected"], sts["ready"]), (310, False), "sessions that would not deliver")
    check.contains(sts["text"], "would have failed to arrive", "in plain words")
    check.equal(call(world, "/domains/home.example/policies/tls_rpt/advice")[0], 404, "no ladder")
