"""Mail between strangers who can prove who they are: two appliances and a Postfix with
opendkim and opendmarc, signed zones, a resolver that checks.

Each appliance publishes what its own `domain dns --zone` says. What arrives is judged by the
side that takes it in: an appliance for the others' mail, opendkim and opendmarc for ours.
"""
import base64
import http.client
import json
import re
import smtplib
import subprocess

import check
from appliance import Appliance, insecure_tls
from authority import Authority
from milters import OpenDkim, OpenDmarc
from names import Names
from world import message

# Not of the loopback network: libspf2 below opendmarc lets anything of that pass.
HOME, AWAY, PEER, STRANGER = "192.0.2.10", "192.0.2.11", "192.0.2.20", "192.0.2.66"
ANN, BOB = "ann@home.example", "bob@home.example"
BEA, PAT = "bea@away.example", "pat@peer.example"
RESULTS = re.compile(rb"(?ims)^Authentication-Results:(.*?)\r?\n(?=[^ \t])")
# Of a domain that signs nothing; and mail for us whose hosts are not signed, so that MTA-STS
# alone protects it.
LONELY = f"""
@      IN TXT "v=spf1 ip4:{PEER} -all"
_dmarc IN TXT "v=DMARC1; p=reject"
"""


def record_of(path):
    """-> the strings of the DKIM record that belongs to a private key"""
    public = subprocess.run(["openssl", "rsa", "-in", path, "-pubout", "-outform", "DER"],
                            check=True, capture_output=True).stdout
    text = "v=DKIM1; k=rsa; p=" + base64.b64encode(public).decode()
    return " ".join(f'"{text[n:n + 200]}"' for n in range(0, len(text), 200))


def peer_zone(world):
    world.peer_key = world.out / "p1.pem"
    subprocess.run(["openssl", "genrsa", "-traditional", "-out", world.peer_key, "2048"],
                   check=True, capture_output=True)
    return f"""
@      IN MX 10 mx
mx     IN A {PEER}
@      IN TXT "v=spf1 mx -all"
_dmarc IN TXT "v=DMARC1; p=reject; adkim=s; aspf=s"
p1._domainkey IN TXT {record_of(world.peer_key)}
"""


def host_zone(address):
    return f"@ IN MX 10 mail\nmail IN A {address}\n"


def start_names(world):
    dns = Names(world.out / "names")
    dns.zones = {"home.example": host_zone(HOME), "away.example": host_zone(AWAY),
                 "peer.example": peer_zone(world), "lonely.example": LONELY,
                 "policed.example": "@ IN MX 10 mail.away.example.\n"}
    dns.signed = ["home.example", "away.example", "peer.example"]
    world.dns = world.start(dns)


def start_peer(world):
    dkim = world.start(OpenDkim(world.out / "opendkim", ("peer.example", "p1", world.peer_key), PEER))
    dmarc = world.start(OpenDmarc(world.out / "opendmarc", PEER))
    cert, key = world.ca.certificate("peer", "mx.peer.example")
    world.postfix(address=PEER, settings={"smtpd_tls_cert_file": cert, "smtpd_tls_key_file": key,
                            "smtpd_milters": f"{dkim}, {dmarc}",
                            "milter_default_action": "tempfail",
                            "mynetworks": f"{PEER}/32"})


def start_home(world, name, address, people, ca, names):
    cert, key = ca.certificate(name, *names)
    home = Appliance(world.out / name, address=address, hostname=f"mail.{name}.example",
                     domain=f"{name}.example", source=address, trusted="true", private="true",
                     retry="1s 1s 2s", more=f"tls: {{certificate: {cert}, key: {key}, ca_file: {ca.file}}}\n")
    world.start(home)
    home.cert = cert
    home.add_domain()
    for who in people:
        home.add_account(who)
    home.token = home.json("token", "create", "tests")["token"]
    return home


def setup(world):
    for address in (HOME, AWAY, PEER, STRANGER):
        subprocess.run(["ip", "addr", "replace", f"{address}/32", "dev", "lo"], check=True)
    world.ca = Authority(world.out / "ca")
    start_names(world)
    start_peer(world)
    world.home = start_home(world, "home", HOME, (ANN, BOB), world.ca,
                            ("mail.home.example", "mta-sts.home.example"))
    world.away = start_home(world, "away", AWAY, (BEA,), world.ca,
                            ("mail.away.example", "mta-sts.away.example", "mta-sts.policed.example"))
    world.away.add_domain("policed.example")
    world.away.add_account("pia@policed.example")
    world.away.run("alias", "add", "onward@away.example", BOB)
    world.away.run("alias", "add", "outward@away.example", PAT)


def api(home, method, path, body=None):
    c = http.client.HTTPSConnection(home.address, 443, context=insecure_tls(), timeout=30)
    c.request(method, f"/api/v1{path}", None if body is None else json.dumps(body),
              {"Authorization": f"Bearer {home.token}", "Content-Type": "application/json"})
    answer = c.getresponse()
    text = answer.read()
    check.equal(answer.status // 100, 2, f"{method} {path}: {text[:200]}")
    return json.loads(text) if text else {}


def publish(world, home):
    """What the appliance asks for, as it says it, and the key that it shows."""
    text = home.run("domain", "dns", home.domain, "--zone", "--relative").stdout
    rows = [line for line in text.splitlines()
            if not line.startswith((";", "$")) and "\tA\t" not in line and "\tMX\t" not in line]
    tlsa = f"_25._tcp.mail IN TLSA 3 1 1 {world.ca.key_digest(home.cert)}\n"
    rows = [line for line in rows if "\tTLSA\t" not in line]
    world.dns.change(home.domain, host_zone(home.address) + tlsa + "\n".join(rows) + "\n")


def send(home, sender, rcpts, subject, options=(), body="Hello\n"):
    with home.submission(sender) as s:
        s.ehlo_or_helo_if_needed()
        s.sendmail(sender, list(rcpts), message(sender, rcpts[0], subject, body), mail_options=list(options))


def arrived(home, user, subject):
    found = check.until(lambda: home.find(user, f"Subject: {subject}\r\n"), f"{subject} reached {user}")
    return found[-1] if found else b""


def results(mail):
    return re.sub(r"\s+", " ", " ".join(f.decode() for f in RESULTS.findall(mail)))


def proven(found, parts, what):
    for part in parts:
        check.contains(found, part, what)


def story(home, *parts):
    """A line of the log with all of these."""
    return [x for x in home.log().splitlines() if all(p in x for p in parts)]


def restart(home, more):
    """Not a reload: connections that live on would keep what they began with."""
    home.stop()
    home.write_config(more=more)
    home.start()


def use_certificate(home, ca, pair):
    restart(home, f"tls: {{certificate: {pair[0]}, key: {pair[1]}, ca_file: {ca.file}}}\n")


def is_at_work(home, domain):
    return {k["state"] for k in home.json("domain", "dkim", "list", domain)["items"]} == {"active"}


def test_each_publishes_what_it_says(world):
    for home in (world.home, world.away):
        api(home, "PUT", f"/domains/{home.domain}/policies/dmarc", {"policy": "reject"})
        check.until(lambda h=home: len(h.json("domain", "dkim", "list", h.domain)["items"]) == 2, "two keys")
        publish(world, home)
        home.run("domain", "dns", home.domain, "--check")
        check.until(lambda h=home: is_at_work(h, h.domain), f"keys of {home.domain} sign")
        check.contains(world.dns.zones[home.domain], "p=reject", "its wish")


def test_between_the_appliances(world):
    for home, sender, other, rcpt in ((world.home, ANN, world.away, BEA), (world.away, BEA, world.home, BOB)):
        subject = f"from {home.domain}"
        send(home, sender, [rcpt], subject)
        proven(results(arrived(other, rcpt, subject)),
               ("spf=pass", f"smtp.mailfrom={sender}", "dkim=pass", f"header.d={home.domain}",
                "dmarc=pass", f"header.from={home.domain}"), subject)
        check.until(lambda h=home: story(h, "delivery.tls.policy", "policy=dane"), f"{home.domain} by DANE")


def test_to_postfix(world):
    """opendkim finds the signatures good, opendmarc that address and signatures fit."""
    for home, sender in ((world.home, ANN), (world.away, BEA)):
        subject = f"to the peer from {home.domain}"
        send(home, sender, [PAT], subject)
        found = check.until(lambda s=subject: world.peer.find(f"Subject: {s}\n"), subject)
        proven(results(found[0]) if found else "",
               ("dkim=pass", f"header.d={home.domain}", "spf=pass",
                f"dmarc=pass (p=reject dis=none) header.from={home.domain}"), subject)


def from_peer(subject, rcpt, sender=PAT, client=PEER, server=PEER):
    with smtplib.SMTP(server, 25, "mx.peer.example", timeout=60, source_address=(client, 0)) as s:
        s.sendmail(sender, [rcpt], message(sender, rcpt, subject))


def test_from_postfix(world):
    for home, rcpt in ((world.home, ANN), (world.away, BEA)):
        subject = f"from the peer to {home.domain}"
        from_peer(subject, rcpt)
        proven(results(arrived(home, rcpt, subject)),
               ("spf=pass", "dkim=pass", "header.d=peer.example", "header.s=p1", "dmarc=pass",
                "header.from=peer.example"), subject)


def refusal(subject, rcpt, sender, server):
    try:
        from_peer(subject, rcpt, sender, STRANGER, server)
    except smtplib.SMTPDataError as e:
        return e.smtp_code, e.smtp_error.decode()
    return 250, "taken"


def test_a_forged_sender_is_refused(world):
    for rcpt, sender, server in ((ANN, PAT, HOME), (ANN, BEA, HOME), (BEA, ANN, AWAY), (PAT, ANN, PEER), (PAT, "lone@lonely.example", PEER)):
        code, text = refusal("forged", rcpt, sender, server)
        check.equal(code, 550, f"{sender} to {rcpt}: {text}")
        check.contains(text, sender.split("@")[1], "whose wish it is")
    check.true(not world.home.find(ANN, "Subject: forged"), "nothing of it is there")


def waits(home, rcpt, subject, reason, words):
    """It is in the queue for this reason."""
    def waiting():
        return [i for i in home.json("queue", "list")["items"]
                if i["to"] == rcpt and i.get("attempts", 0) >= 1 and reason in str(i)]
    row = check.until(waiting, f"{subject} waits with {reason}")
    if row:
        check.contains(str(row[0]), words, f"{subject}: in plain words")


def goes_when_it_is_right(world, rcpt, subject):
    use_certificate(world.away, world.ca, (world.away.cert, world.away.cert.with_suffix(".key")))
    arrived(world.away, rcpt, subject)


def test_dane_refuses_another_certificate(world):
    """Even one that the authority vouches for, and that has the right name."""
    world.impostor = world.ca.certificate("impostor", "mail.away.example", "mta-sts.policed.example")
    use_certificate(world.away, world.ca, world.impostor)
    send(world.home, ANN, [BEA], "another key")
    waits(world.home, BEA, "another key", "tls_cert", "TLSA")
    check.true(not world.away.find(BEA, "Subject: another key"), "nothing of it is there")
    check.equal(story(world.home, "delivery.tls.failed", "mail.away.example"), [], "never tried in plain")
    goes_when_it_is_right(world, BEA, "another key")


def test_mta_sts_refuses_another_certificate(world):
    api(world.away, "PUT", "/domains/policed.example/policies/mta_sts", {"mode": "enforce"})
    policy_id = api(world.away, "GET", "/domains/policed.example/policies/mta_sts")["policy_id"]
    world.dns.change("policed.example", "@ IN MX 10 mail.away.example.\n"
                     f'mta-sts IN A {AWAY}\n_mta-sts IN TXT "v=STSv1; id={policy_id}"\n')
    send(world.home, ANN, ["pia@policed.example"], "by policy")
    arrived(world.away, "pia@policed.example", "by policy")
    check.until(lambda: story(world.home, "delivery.tls.policy", "policy=mta-sts", "domain=policed.example"),
                "the policy that the other appliance serves")
    use_certificate(world.away, world.ca, world.ca.certificate("wrong", "somebody.else.example"))
    send(world.home, ANN, ["pia@policed.example"], "wrong name")
    waits(world.home, "pia@policed.example", "wrong name", "tls_cert", "ostname mismatch")
    check.true(not world.away.find("pia@policed.example", "Subject: wrong name"), "nothing of it is there")
    goes_when_it_is_right(world, "pia@policed.example", "wrong name")


def bounce(home, user, subject):
    def news():
        return [m.decode() for _, m in home.inbox(user)
                if f"Subject: {subject}\r\n".encode() in m and b"multipart/report" in m]
    found = check.until(news, f"{subject}: news of it")
    return found[0] if found else ""


def test_requiretls_from_end_to_end(world):
    """The demand is passed on: to the other side, and by it to the third."""
    demand = ("REQUIRETLS", "RET=FULL")
    send(world.home, ANN, [BEA], "demanded", demand)
    arrived(world.away, BEA, "demanded")
    check.until(lambda: story(world.away, "smtp.mail", "demand=requiretls", ANN), "said to the other side")
    before = len(story(world.home, "smtp.mail", "demand=requiretls"))
    send(world.home, ANN, ["onward@away.example"], "demanded and back", demand)
    arrived(world.home, BOB, "demanded and back")
    check.until(lambda: len(story(world.home, "smtp.mail", "demand=requiretls")) >= before + 2,
                "once by the sender, once by the forwarder")


def test_requiretls_ends_where_nobody_keeps_it(world):
    """Postfix does not know it; so the appliance before it says no, and says it safely."""
    secret = "The text that stays between us.\n"
    send(world.home, ANN, ["outward@away.example"], "not further", ("REQUIRETLS", "RET=FULL"), secret)
    news = bounce(world.home, ANN, "not further")
    check.true("Status: 5.7.30" in news, "its code")
    check.true("encryption is demanded and not to be had" in news, "in plain words")
    check.true("pat@peer.example" not in news, "not where the alias leads")
    check.true("mail.away.example" in news, "it is the second appliance that says so")
    check.true(secret.strip() not in news, "without the text")
    check.equal(world.peer.find("Subject: not further"), [], "the peer got nothing")


def through(world, subject):
    """Without a signature, proven by its address alone, to one that sends it on."""
    from_peer(subject, "onward@away.example", "lone@lonely.example", PEER, AWAY)


def test_forwarded_without_trust_it_is_refused(world):
    through(world, "nobody vouches")
    check.until(lambda: story(world.home, "smtp.data.reject", "lonely.example"), "refused")
    check.true(not world.home.find(BOB, "Subject: nobody vouches"), "not taken")


def test_forwarded_with_a_seal_it_is_accepted(world):
    restart(world.home, world.home.values["more"] + "incoming: {trusted_sealers: [away.example]}\n")
    through(world, "vouched for")
    mail = arrived(world.home, BOB, "vouched for")
    proven(results(mail), ("spf=pass", 'smtp.mailfrom="SRS0=', '=lonely.example=lone@away.example"', "arc=pass",
                           "policy.arc-domain=away.example", "dmarc=fail", "header.from=lonely.example"),
           "what the last one finds")
    check.true(re.search(rb"(?im)^Return-Path:\s*<SRS0=[^>]*=lonely\.example=lone@away\.example>", mail),
               "a sender that leads back")
    check.equal(mail.count(b"\r\nARC-Seal:"), 1, "the seal")


def test_a_signature_outlives_forwarding(world):
    from_peer("signed and sent on", "onward@away.example")
    found = results(arrived(world.home, BOB, "signed and sent on"))
    proven(found, ("dkim=pass", "header.d=peer.example", "arc=pass", "dmarc=pass"), "unchanged on its way")
