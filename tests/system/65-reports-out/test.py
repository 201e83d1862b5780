"""Reports on what was seen of others: counted while mail flows, sent on the day after, once.

The clock of the appliance is set (libfaketime): the day is one that is over for everybody
else, so that no signature is of the future. The Postfix is the domain that is reported on;
its opendkim judges the reports' signatures, xmllint their form."""
import email
import gzip
import http.client
import json
import os
import pathlib
import re
import signal
import smtplib
import subprocess
import time
import xml.etree.ElementTree as ET

import check
from appliance import ROOT
from authority import Authority, WebServer
from days import DAY_S, Days
from milters import OpenDkim
from world import message

ANN, PEER = "ann@home.example", "pat@peer.example"
GOOD, BAD = "127.0.0.20", "127.0.0.66"
HERE = pathlib.Path(__file__).parent
NS = "{urn:ietf:params:xml:ns:dmarc-2.0}"
PEER_ZONE = """
@      IN MX 10 mx
mx     IN A 127.0.0.20
@      IN TXT "v=spf1 ip4:127.0.0.20 -all"
_dmarc IN TXT "v=DMARC1; p=reject; np=reject; rua=mailto:reports@peer.example!1m"
asked.example._report._dmarc IN TXT "v=DMARC1"
*.many.example._report._dmarc IN TXT "v=DMARC1"
_smtp._tls IN TXT "v=TLSRPTv1; rua=mailto:tls@peer.example"
"""
# Its policy demands a certificate that its host does not have; the reports on that go to
# the same host all the same, and to a web server.
WRONG, WEB = "127.0.0.61", "127.0.0.64"
STS_ZONE = f"""
@          IN MX 10 wrong
wrong      IN A {WRONG}
_mta-sts   IN TXT "v=STSv1; id=1"
mta-sts    IN A {WEB}
web        IN A {WEB}
_smtp._tls IN TXT "v=TLSRPTv1; rua=mailto:tls@sts.example,https://web.sts.example/tls?for=us"
"""
STS_POLICY = ["version: STSv1", "mode: enforce", "max_age: 86400", "mx: wrong.sts.example"]
# Nobody agreed to get the reports on the first of them.
OTHERS = {
    "outside.example": '_dmarc IN TXT "v=DMARC1; p=none; rua=mailto:outside@peer.example"\n',
    "asked.example": '_dmarc IN TXT "v=DMARC1; p=none; rua=mailto:asked@peer.example"\n',
    "silent.example": '_dmarc IN TXT "v=DMARC1; p=none"\n',
}
MANY = 12
MANY_ZONE = "".join(f'_dmarc.d{n:02d} IN TXT "v=DMARC1; p=none; psd=n;'
                    f' rua=mailto:many{n:02d}@peer.example"\n' for n in range(MANY))


def setup(world):
    dns = world.names()
    dns.zones["peer.example"] = PEER_ZONE
    dns.zones.update(OTHERS)
    dns.zones["many.example"] = MANY_ZONE
    # Good on the days that the appliance believes in.
    ca = Authority(world.out / "ca", clock="-20d")
    wrong, key = ca.certificate("wrong", "somebody.else.example")
    dns.zones["sts.example"] = STS_ZONE
    dns.zones["dane.example"] = f"""
@          IN MX 10 right
right      IN A {GOOD}
_25._tcp.right IN TLSA 3 1 1 {ca.key_digest(wrong)}
_smtp._tls IN TXT "v=TLSRPTv1; rua=mailto:dane@peer.example"
"""
    dns.signed = ["dane.example"]
    dns.stop()
    dns.start()
    world.web = WebServer(WEB, ca.certificate("web", "mta-sts.sts.example", "web.sts.example"))
    world.web.pages["mta-sts.sts.example"] = (200, "text/plain", "\r\n".join([*STS_POLICY, ""]))
    world.start(world.web)
    milter = world.start(OpenDkim(world.out / "opendkim"))
    world.postfix(settings={"smtpd_milters": str(milter),
                            "virtual_mailbox_domains": "peer.example sts.example dane.example",
                            "milter_default_action": "tempfail"},
                  master=f"{WRONG}:25 inet n - n - - smtpd -o smtpd_tls_cert_file={wrong} "
                         f"-o smtpd_tls_key_file={key}\n")
    world.days = Days(world.out / "home")
    world.appliance(retry="1s 1s 2s", lifetime="5d", private="true", trusted="true",
                    more=f"tls: {{ca_file: {ca.file}}}\n",
                    env=world.days.env)
    world.dns.publish_keys(world.home)


def send(world, client, domain, subject):
    """-> the code of the reply to the message."""
    sender = f"pat@{domain}"
    with smtplib.SMTP(world.home.address, 25, "mx.peer.example", timeout=60,
                      source_address=(client, 0)) as s:
        s.ehlo()
        s.mail(sender)
        s.rcpt(ANN)
        text = message(sender, ANN, subject).replace("\n", "\r\n").encode()
        return s.data(text)[0]


def reports(world, to):
    """The messages that came for that address, parsed."""
    return [email.message_from_bytes(m) for m in world.peer.find(f"Delivered-To: {to}")]


def attached(mail):
    part = [p for p in mail.walk() if p.get_filename()][0]
    return part.get_filename(), part.get_content_type(), gzip.decompress(part.get_payload(decode=True))


def rows(xml):
    """{source: (count, disposition, dkim, spf)}"""
    found = {}
    for record in ET.fromstring(xml).iter(f"{NS}record"):
        get = {e.tag.replace(NS, ""): e.text for e in record.iter()}
        evaluated = record.find(f"{NS}row/{NS}policy_evaluated")
        dkim, spf = (evaluated.find(f"{NS}{k}").text for k in ("dkim", "spf"))
        found[get["source_ip"]] = (int(get["count"]), get["disposition"], dkim, spf)
    return found


def valid(world, xml):
    path = world.out / "report.xml"
    path.write_bytes(xml)
    done = subprocess.run(["xmllint", "--noout", "--schema", HERE / "dmarc.xsd", path],
                          capture_output=True, text=True)
    check.equal(done.returncode, 0, done.stderr)


def test_a_day_of_mail(world):
    for n in range(2):
        check.equal(send(world, GOOD, "peer.example", f"proven {n}"), 250, "taken")
    for n in range(3):
        check.equal(send(world, BAD, "peer.example", f"forged {n}"), 550, "refused")
    for domain in OTHERS:
        check.equal(send(world, BAD, domain, f"from {domain}"), 250, "taken")
    for domain in ("peer", "sts", "dane"):
        with world.home.submission(ANN) as s:
            to = f"pat@{domain}.example"
            s.sendmail(ANN, [to], message(ANN, to, f"to {domain}"))
    for text in ("result=certificate-host-mismatch", "result=certificate-not-trusted", "result=ok"):
        check.until(lambda text=text: text in world.home.log(), text)
    for domain in ("sts", "dane"):
        rows = [i for i in world.home.json("queue", "list")["items"] if domain in i["to"]]
        world.home.run("queue", "hold", *[i["id"] for i in rows])
    check.until(lambda: world.peer.find("Subject: to peer"), "the one that may go is there")
    time.sleep(1)
    check.equal(len(world.peer.messages()), 1, "no report on a day that is not over")


def test_the_report_of_the_day(world):
    world.days.morning(world.home)
    mail = check.until(lambda: reports(world, "reports@peer.example"), "the report", 150)[0]
    day = world.days.day - 1
    name, kind, xml = attached(mail)
    check.equal(kind, "application/gzip", "type")
    check.true(re.fullmatch(rf"home\.example!peer\.example!{day * DAY_S}!"
                            rf"{(day + 1) * DAY_S - 1}![A-Za-z0-9]+\.xml\.gz", name), name)
    valid(world, xml)
    check.equal(rows(xml), {GOOD: (2, "pass", "fail", "pass"), BAD: (3, "reject", "fail", "fail")},
                "who sent how many, and what became of them")
    root = ET.fromstring(xml)
    for path, want in (("report_metadata/org_name", "mail.home.example"),
                       ("report_metadata/email", "dmarc-reports@home.example"),
                       ("policy_published/domain", "peer.example"),
                       ("policy_published/p", "reject"),
                       ("policy_published/np", "reject"),
                       ("policy_published/testing", "n"),
                       ("policy_published/discovery_method", "treewalk")):
        check.equal(root.find("/".join(NS + p for p in path.split("/"))).text, want, path)
    check.true(re.fullmatch(r"Mailstead \d+\.\d+\.\d+",
                            root.find(f"{NS}report_metadata/{NS}generator").text), "generator")
    spf = {r.find(f"{NS}row/{NS}source_ip").text: r.find(f"{NS}auth_results/{NS}spf") for r in
           root.iter(f"{NS}record")}
    check.equal(spf[GOOD].find(f"{NS}human_result"), None, "nothing is to be said of what passes")
    check.contains(spf[BAD].find(f"{NS}human_result").text, f"{BAD} may not send mail for peer.example",
                   "why it failed")
    check.equal({e.text for e in root.iter(f"{NS}envelope_to")}, {"home.example"}, "whom it was for")
    check.equal(mail["From"], "dmarc-reports@home.example", "from")
    check.equal(mail["Return-Path"], "<>", "nobody is told where it fails")
    subject = re.sub(r"\s+", " ", mail["Subject"])
    number = root.find(f"{NS}report_metadata/{NS}report_id").text
    check.equal(subject, f"Report Domain: peer.example Submitter: home.example "
                         f"Report-ID: <{number}>", "subject")
    check.true(name.endswith(f"!{number}.xml.gz"), "the same id in the name of the file")


def test_it_is_believed(world):
    mail = reports(world, "reports@peer.example")[0]
    results = " ".join(mail.get_all("Authentication-Results") or [])
    check.contains(results, "dkim=pass", "opendkim")
    check.contains(results, "header.d=home.example", "aligned")


def test_others_get_theirs_where_they_agreed(world):
    mail = check.until(lambda: reports(world, "asked@peer.example"), "who agreed")[0]
    _, _, xml = attached(mail)
    valid(world, xml)
    check.equal(rows(xml), {BAD: (1, "none", "fail", "fail")}, "its own row only")
    check.until(lambda: "they do not say that they want" in world.home.log(), "it is told")
    check.equal(reports(world, "outside@peer.example"), [], "who did not gets none")
    check.true("silent.example" not in "".join(str(m) for m in world.peer.messages()),
               "who asks for none gets none")


def tls_report(mail):
    name, kind, text = attached(mail)
    check.equal(kind, "application/tlsrpt+gzip", "type")
    check.true(name.endswith(".json.gz"), name)
    return json.loads(text)


def test_tls_that_works(world):
    mail = check.until(lambda: reports(world, "tls@peer.example"), "the report")[0]
    found = tls_report(mail)
    check.equal(found["policies"], [{
        "policy": {"policy-type": "no-policy-found", "policy-domain": "peer.example"},
        "summary": {"total-successful-session-count": 1, "total-failure-session-count": 0}}],
        "one good session")
    check.equal(mail.get_content_type(), "multipart/report", "type of the mail")
    check.equal(mail.get_param("report-type"), "tlsrpt", "type of the report")
    check.equal((mail["TLS-Report-Domain"], mail["TLS-Report-Submitter"]),
                ("peer.example", "home.example"), "RFC 8460 5.3")
    check.equal(mail["From"], "tls-reports@home.example", "from")
    check.contains(" ".join(mail.get_all("Authentication-Results") or []), "dkim=pass", "opendkim")


def test_a_certificate_that_the_policy_does_not_allow(world):
    """The report comes over the very host whose certificate is wrong."""
    mail = check.until(lambda: reports(world, "tls@sts.example"), "the report")[0]
    found = tls_report(mail)
    day = world.days.date(1)
    check.equal(found["date-range"], {"start-datetime": f"{day}T00:00:00Z",
                                      "end-datetime": f"{day}T23:59:59Z"}, "the day")
    policy = found["policies"][0]
    check.equal(policy["policy"], {
        "policy-type": "sts", "policy-string": STS_POLICY, "policy-domain": "sts.example",
        "mx-host": ["wrong.sts.example"]}, "the policy that was applied")
    failed = policy["summary"]["total-failure-session-count"]
    check.true(failed >= 1, f"{failed} failures")
    details = policy["failure-details"][0]
    check.equal((details["result-type"], details["receiving-mx-hostname"], details["receiving-ip"],
                 details["failed-session-count"]),
                ("certificate-host-mismatch", "wrong.sts.example", WRONG, failed), "what failed")
    check.equal((details["sending-mta-ip"], details["receiving-mx-helo"]),
                ("127.0.0.1", "mx.peer.example"), "and between whom")
    check.equal(re.sub(r"\s+", " ", mail["Subject"]),
                f"Report Domain: sts.example Submitter: home.example "
                f"Report-ID: <{found['report-id']}@home.example>", "subject")
    check.until(lambda: world.web.posted, "posted as well")
    check.equal([(path, kind) for path, kind, _ in world.web.posted],
                [("/tls?for=us", "application/tlsrpt+gzip")], "posted as well, once")
    if world.web.posted:
        check.equal(json.loads(gzip.decompress(world.web.posted[0][2])), found, "the same")


def test_a_key_that_no_record_names(world):
    mail = check.until(lambda: reports(world, "dane@peer.example"), "the report")[0]
    policy = tls_report(mail)["policies"][0]
    check.equal(policy["policy"]["policy-type"], "tlsa", "type")
    check.true(policy["policy"]["policy-string"][0].startswith("3 1 1 "), policy["policy"])
    check.equal(policy["failure-details"][0]["result-type"], "certificate-not-trusted", "what failed")


def api(world, path, expect=200):
    c = http.client.HTTPConnection(world.home.address, 8080, timeout=30)
    c.request("GET", f"/api/v1{path}", headers={"Authorization": f"Bearer {world.token}"})
    answer = c.getresponse()
    body = answer.read()
    check.equal(answer.status, expect, f"GET {path}: {body[:200]}")
    return answer, body


def test_what_was_sent_is_on_record(world):
    world.token = world.home.json("token", "create", "tests")["token"]
    day = world.days.date(1)

    def rows():
        _, body = api(world, "/reports/sent?limit=100")
        return {(i["kind"], i["domain"]): i for i in json.loads(body)["items"]}
    check.until(lambda: [i for i in rows().values() if i["state"] == "queued"] == [],
                "all came to an end")
    found = rows()
    check.equal({k: i["state"] for k, i in found.items()},
                {("dmarc", "peer.example"): "sent", ("dmarc", "asked.example"): "sent",
                 ("dmarc", "outside.example"): "refused", ("tls", "peer.example"): "sent",
                 ("tls", "sts.example"): "sent", ("tls", "dane.example"): "sent"}, "states")
    one = found["dmarc", "peer.example"]
    check.equal((one["day"], one["count"], one["rows"], one["left_out"], one["recipients"]),
                (day, 5, 2, 0, ["reports@peer.example"]), "what it is on")
    check.equal(found["dmarc", "outside.example"]["recipients"], [], "nobody")
    check.contains(found["dmarc", "outside.example"]["reason"], "outside@peer.example: they do not",
                   "and why")
    answer, raw = api(world, f"/reports/sent/{one['id']}/raw")
    check.equal(answer.headers["Content-Type"].split(";")[0], "application/xml", "type")
    check.equal(raw, attached(reports(world, "reports@peer.example")[0])[2], "as it was sent")
    answer, raw = api(world, f"/reports/sent/{found['tls', 'sts.example']['id']}/raw")
    check.equal(json.loads(raw)["policies"][0]["policy"]["policy-domain"], "sts.example", "JSON")
    api(world, f"/reports/sent/{found['dmarc', 'outside.example']['id']}/raw", 404)
    api(world, "/reports/sent/rps_999999", 404)
    api(world, "/reports/sent?state=lost", 422)
    rows = world.home.json("reports", "sent", "--state", "refused")["items"]
    check.equal([i["domain"] for i in rows], ["outside.example"], "the command line")
    shown = world.home.json("reports", "show", one["id"])
    check.equal(shown["report_id"], one["report_id"], "and one of them")


def test_once_whoever_dies(world):
    """Reports are made while the queue and the store are killed; the other side is away."""
    for n in range(MANY):
        check.equal(send(world, BAD, f"d{n:02d}.many.example", f"many {n}"), 250, "taken")
    time.sleep(1)
    world.peer.stop()
    world.days.morning(world.home)
    deadline = time.monotonic() + 120
    kills = 0
    while kills < 12 and time.monotonic() < deadline:
        for role in ("queue", "store"):
            for pid in world.home.workers().get(role, []):
                os.kill(pid, signal.SIGKILL)
                kills += 1
            time.sleep(1.3)
    check.true(kills >= 8, f"{kills} kills")
    world.peer.start()
    for n in range(MANY):
        check.until(lambda n=n: reports(world, f"many{n:02d}@peer.example"), f"report {n}")
    time.sleep(3)
    for n in range(MANY):
        found = reports(world, f"many{n:02d}@peer.example")
        check.equal(len(found), 1, f"report {n} comes once")
        check.equal(rows(attached(found[0])[2]), {BAD: (1, "none", "fail", "fail")}, f"row {n}")


def test_a_restart_sends_nothing_again(world):
    # The reports themselves went to the peer on the day before, and that is reported last.
    day = world.days.date(1)
    check.until(lambda: [i for i in world.home.json("reports", "sent", "--kind", "tls")["items"]
                         if (i["day"], i["domain"], i["state"]) == (day, "peer.example", "sent")],
                "the last report of that day")
    world.peer.until_idle()
    before = len(world.peer.messages())
    world.home.stop()
    world.home.start()
    time.sleep(4)
    check.equal(len(world.peer.messages()), before, "nothing new")


def test_the_page(world):
    """In a real browser, whose clock is right: so must be the appliance's, or its cookie is old."""
    home, day = world.home, world.days.date()
    # That day is over now: its report comes into the list, and not below a click. It is not
    # waited for by the right clock, which may be before the hour of reports.
    world.days.morning(home)
    check.until(lambda: [i for i in home.json("reports", "sent", "--kind", "tls")["items"]
                         if (i["day"], i["domain"], i["state"]) == (day, "peer.example", "sent")],
                "the report of the last day", 150)
    world.days.set(int(time.time()))
    home.process.child.send_signal(signal.SIGHUP)
    home.add_admin("owner")
    env = dict(os.environ, URL=f"https://{home.hostname}", NAME="owner", HOME=str(world.out),
               PASSWORD=home.passwords["owner"], SHOTS=str(world.out))
    done = subprocess.run(["node", str(ROOT / "tests" / "browser" / "reports.mjs"), "sent"], env=env,
                          stdout=subprocess.PIPE, text=True, timeout=600)
    print(done.stdout, end="", flush=True)
    check.equal(done.returncode, 0, "the page")
