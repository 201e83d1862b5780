"""How mail must be secured on its way out: MTA-STS and DANE against a Postfix that shows the
right, a wrong, an expired and no certificate."""
import time

import check
from appliance import SANITIZED
from authority import Authority, WebServer
from world import message

ANN = "ann@home.example"
WEB, OTHER_WEB = "127.0.0.64", "127.0.0.65"
HOSTS = {"right": "127.0.0.20", "wrong": "127.0.0.61", "expired": "127.0.0.62", "plain": "127.0.0.63"}
# domain: (host, mode, hosts that the policy names)
STS = {
    "good": ("right", "enforce", ["right.sts.example"]),
    "star": ("right", "enforce", ["*.sts.example"]),
    "wrong": ("wrong", "enforce", ["wrong.sts.example"]),
    "expired": ("expired", "enforce", ["expired.sts.example"]),
    "plain": ("plain", "enforce", ["plain.sts.example"]),
    "other": ("right", "enforce", ["elsewhere.sts.example"]),
    "testing": ("wrong", "testing", ["wrong.sts.example"]),
    "testother": ("right", "testing", ["elsewhere.sts.example"]),
    "none": ("wrong", "none", []),
    "moved": ("wrong", None, []),
    "html": ("wrong", None, []),
    "badweb": ("wrong", None, []),
}
DANE = {"right": "right", "wrong": "right", "expired": "expired", "plain": "right"}


def policy(mode, hosts, age=86400):
    return f"version: STSv1\r\nmode: {mode}\r\n" + "".join(f"mx: {h}\r\n" for h in hosts) + \
        f"max_age: {age}\r\n"


def sts_zone():
    lines = [f"{h} IN A {a}" for h, a in HOSTS.items()]
    for name, (host, _, _) in STS.items():
        lines += [f"{name} IN MX 10 {host}", f'_mta-sts.{name} IN TXT "v=STSv1; id=1"',
                  f"mta-sts.{name} IN A {WEB}"]
    return "\n".join(lines) + "\n"


def dane_zone(digests):
    """Every host is a domain too; DANE says whose key the record of a host names."""
    lines = []
    for host, whose in DANE.items():
        lines += [f"{host} IN A {HOSTS[host]}", f"{host}-mail IN MX 10 {host}",
                  f"_25._tcp.{host} IN TLSA 3 1 1 {digests[whose]}"]
    # Names of their own in the MX, which lead to these hosts.
    for host in ("right", "wrong"):
        lines += [f"{host}-alias IN CNAME {host}", f"{host}-alias-mail IN MX 10 {host}-alias"]
    lines += ["own-alias IN CNAME bare", "own-alias-mail IN MX 10 own-alias", f"bare IN A {HOSTS['wrong']}",
              f"_25._tcp.own-alias IN TLSA 3 1 1 {digests['right']}"]
    # Signed names that lead to unsigned hosts: with records of their own, and without.
    for host in ("right", "wrong"):
        lines += [f"{host}-out IN CNAME {host}.unsigned.example.", f"{host}-out-mail IN MX 10 {host}-out",
                  f"_25._tcp.{host}-out IN TLSA 3 1 1 {digests['right']}"]
    lines += ["bare-out IN CNAME wrong.unsigned.example.", "bare-out-mail IN MX 10 bare-out"]
    return "\n".join(lines) + "\n"


def setup(world):
    ca = world.ca = Authority(world.out / "ca")
    pairs = {
        "right": ca.certificate("right", "right.sts.example", "right.dane.example"),
        "wrong": ca.certificate("wrong", "somebody.else.example"),
        "expired": ca.certificate("expired", "expired.sts.example", "expired.dane.example", days=-1),
    }
    web_names = [f"mta-sts.{d}.sts.example" for d in STS if d != "badweb"]
    world.web = WebServer(WEB, ca.certificate("web", *web_names))
    for name, (_, mode, hosts) in STS.items():
        if mode:
            world.web.pages[f"mta-sts.{name}.sts.example"] = (200, "text/plain", policy(mode, hosts))
    enforced = policy("enforce", ["elsewhere.sts.example"])
    world.web.pages["mta-sts.moved.sts.example"] = (301, "text/plain", enforced)
    world.web.pages["mta-sts.html.sts.example"] = (200, "text/html", enforced)
    world.web.pages["mta-sts.badweb.sts.example"] = (200, "text/plain", enforced)
    world.start(world.web)

    digests = {name: ca.key_digest(cert) for name, (cert, _) in pairs.items()}
    from names import ZONES
    ZONES["sts.example"] = sts_zone()
    ZONES["dane.example"] = dane_zone(digests)
    ZONES["unsigned.example"] = f"""
wrong      IN A {HOSTS["wrong"]}
right      IN A {HOSTS["right"]}
wrong-mail IN MX 10 wrong
_25._tcp.wrong IN TLSA 3 1 1 {digests["right"]}
"""
    start_names(world)
    domains = [f"{d}.sts.example" for d in STS] + [f"{h}-mail.dane.example" for h in DANE] + \
        [f"{h}-alias-mail.dane.example" for h in ("right", "wrong", "own")] + \
        [f"{h}-out-mail.dane.example" for h in ("right", "wrong", "bare")] + \
        ["wrong-mail.unsigned.example"]
    master = []
    for host in ("wrong", "expired", "plain"):
        cert, key = pairs.get(host, pairs["right"])
        more = " -o smtpd_tls_security_level=none" if host == "plain" else ""
        master.append(f"{HOSTS[host]}:25 inet n - n - - smtpd -o smtpd_tls_cert_file={cert} "
                      f"-o smtpd_tls_key_file={key}{more}\n")
    world.postfix(settings={"virtual_mailbox_domains": " ".join(domains),
                            "smtpd_tls_cert_file": pairs["right"][0],
                            "smtpd_tls_key_file": pairs["right"][1]}, master="".join(master))
    world.appliance(retry="1s 1s 2s", trusted="true", private="true",
                    more=f"tls: {{ca_file: {ca.file}}}\n")


def start_names(world):
    from names import Names
    world.dns = Names(world.out / "names")
    world.dns.signed = ["dane.example"]
    world.start(world.dns)


def submit(world, domain, subject):
    with world.home.submission(ANN) as s:
        s.sendmail(ANN, [f"pat@{domain}"], message(ANN, f"pat@{domain}", subject))


sent = 0


def submit_another(world, domain):
    """-> its subject, which no other message has: what arrived before proves nothing."""
    global sent
    sent += 1
    subject = f"message {sent} to {domain}"
    submit(world, domain, subject)
    return subject


def delivered(world, domain):
    subject = submit_another(world, domain)
    return check.until(lambda: world.peer.find(f"Subject: {subject}\n"), f"{domain} reached")


def refused(world, domain, reason, words):
    """It waits, for this reason, and nothing of it arrived anywhere."""
    subject = submit_another(world, domain)

    def waiting():
        items = world.home.json("queue", "list")["items"]
        return [i for i in items if i["to"] == f"pat@{domain}" and i.get("attempts", 0) >= 1
                and reason in str(i)]
    row = check.until(waiting, f"{domain} waits with {reason}")
    if row:
        check.contains(str(row[0]), words, f"{domain}: in plain words")
    check.equal(world.peer.find(f"Subject: {subject}\n"), [], f"{domain} got nothing")
    world.home.run("queue", "delete", row[0]["id"]) if row else None


def story(world, *parts):
    """A line of the log with all of these."""
    return [x for x in world.home.log().splitlines() if all(p in x for p in parts)]


def test_enforced_and_right(world):
    for domain in ("good.sts.example", "star.sts.example"):
        delivered(world, domain)
        check.until(lambda d=domain: story(world, "delivery.tls.policy", "policy=mta-sts",
                                           f"domain={d}"), f"{domain}: the policy is told")


def test_enforced_and_wrong(world):
    refused(world, "wrong.sts.example", "tls_cert", "ostname mismatch")
    refused(world, "expired.sts.example", "tls_cert", "expired")
    refused(world, "plain.sts.example", "tls_required", "offers no encryption")
    refused(world, "other.sts.example", "tls_required", "does not name this host")
    check.until(lambda: story(world, "delivery.tls.refused", "domain=wrong.sts.example"), "told")
    check.equal(story(world, "delivery.tls.failed", "wrong.sts.example"), [], "never tried in plain")


def test_testing_delivers_and_tells(world):
    delivered(world, "testing.sts.example")
    check.until(lambda: story(world, "delivery.tls.test", "ostname mismatch"), "what it would have refused")
    delivered(world, "testother.sts.example")
    check.until(lambda: story(world, "delivery.tls.test", "does not name it"), "and a host without a name")


def test_mode_none_demands_nothing(world):
    delivered(world, "none.sts.example")


def test_what_is_no_policy_demands_nothing(world):
    for domain, words in (("moved", "status 301"), ("html", "not text/plain"),
                          ("badweb", "certificate is not right")):
        delivered(world, f"{domain}.sts.example")
        check.until(lambda: story(world, "tls.policy.failed", f"domain={domain}.sts.example", words),
                   f"{domain}: {words}")
    check.true(all(path == "/.well-known/mta-sts.txt" for _, path in world.web.asked),
               "no redirect is followed")


def kept(world, domain):
    return world.home.json("tls-policy", "show", domain)


def test_policies_are_listed_and_fetched_on_demand(world):
    rows = {p["domain"]: p for p in world.home.json("tls-policy", "list")["items"]}
    good, moved = rows["good.sts.example"], rows["moved.sts.example"]
    check.equal([good["state"], good["mode"], good["mx"], good["policy_id"], good["reason"]],
                ["holds", "enforce", ["right.sts.example"], "1", None], "one that holds")
    check.true(good["fetched_at"] < good["expires_at"], "with its times")
    check.equal([moved["state"], moved["mode"], moved["mx"], moved["expires_at"]], ["none", None, [], None],
                "one that was never to be had")
    check.contains(moved["reason"], "status 301", "and why")
    found = world.home.json("tls-policy", "list", "--search", "OOD.sts")["items"]
    check.equal([p["domain"] for p in found], ["good.sts.example"], "found by its name")

    def is_kept(question):
        k = kept(world, "good.sts.example")
        return not k["fetching"] and question(k)

    # The same id, and not old: a person wants it, so it is fetched.
    world.web.pages["mta-sts.good.sts.example"] = \
        (200, "text/plain", policy("testing", ["right.sts.example", "*.sts.example"]))
    world.home.run("tls-policy", "fetch", "good.sts.example")
    check.until(lambda: is_kept(lambda k: k["mode"] == "testing"), "the new one")
    good = kept(world, "good.sts.example")
    check.equal([good["mx"], good["fetching"]], [["right.sts.example", "*.sts.example"], False], "whole")

    world.web.pages["mta-sts.good.sts.example"] = (500, "text/plain", "no")
    world.home.run("tls-policy", "fetch", "good.sts.example")
    check.until(lambda: is_kept(lambda k: k["failed_at"]), "a failure is kept")
    good = kept(world, "good.sts.example")
    check.equal([good["state"], good["mode"], good["fetching"]], ["holds", "testing", False], "beside what holds")
    check.contains(good["reason"], "status 500", "with its reason")
    world.web.pages["mta-sts.good.sts.example"] = (200, "text/plain", policy("enforce", ["right.sts.example"]))
    world.home.run("tls-policy", "fetch", "good.sts.example")
    check.until(lambda: is_kept(lambda k: k["mode"] == "enforce"), "fetched again")
    check.equal(kept(world, "good.sts.example")["reason"], None, "no failure since")

    world.dns.change("sts.example", sts_zone().replace('_mta-sts.html IN TXT "v=STSv1; id=1"\n', ""))
    world.home.run("tls-policy", "fetch", "html.sts.example")
    check.until(lambda: "no record" in kept(world, "html.sts.example")["reason"], "its record is gone")
    world.dns.change("sts.example", sts_zone())
    unknown = world.home.run("tls-policy", "fetch", "elsewhere.example", check=False)
    check.contains(unknown.stderr, "404", "nothing is known of another")


def test_a_policy_outlives_restarts_and_its_server(world):
    world.web.stop()
    world.running.remove(world.web)
    world.home.stop()
    world.home.start()
    refused(world, "wrong.sts.example", "tls_cert", "ostname mismatch")
    # Neither its record's end nor its server's is the policy's.
    zone = sts_zone().replace('_mta-sts.wrong IN TXT "v=STSv1; id=1"\n', "")
    world.dns.change("sts.example", zone.replace('good IN TXT "v=STSv1; id=1"', 'good IN TXT "v=STSv1; id=2"'))
    refused(world, "wrong.sts.example", "tls_cert", "ostname mismatch")
    delivered(world, "good.sts.example")
    check.until(lambda: story(world, "tls.policy.failed", "domain=good.sts.example", "the old one stays"), "told")


def test_dane(world):
    delivered(world, "right-mail.dane.example")
    check.until(lambda: story(world, "delivery.tls.policy", "policy=dane", "right-mail.dane.example"), "told")
    refused(world, "wrong-mail.dane.example", "tls_cert", "TLSA")
    refused(world, "plain-mail.dane.example", "tls_required", "offers no encryption")
    # Usage 3: neither the time nor the issuer counts (RFC 7672 3.1.1).
    delivered(world, "expired-mail.dane.example")


def test_dane_where_a_cname_leads(world):
    """RFC 7672 2.2.3: the target's records are asked for first, then those of the name."""
    delivered(world, "right-alias-mail.dane.example")
    check.until(lambda: story(world, "delivery.tls.policy", "policy=dane", "right-alias-mail.dane.example"), "told")
    refused(world, "wrong-alias-mail.dane.example", "tls_cert", "TLSA")
    refused(world, "own-alias-mail.dane.example", "tls_cert", "TLSA")


def test_dane_where_a_signed_cname_leads_out(world):
    """RFC 7672 2.1.3: the name's own records count, those of the unsigned target do not."""
    delivered(world, "right-out-mail.dane.example")
    check.until(lambda: story(world, "delivery.tls.policy", "policy=dane", "right-out-mail.dane.example"), "told")
    refused(world, "wrong-out-mail.dane.example", "tls_cert", "TLSA")
    delivered(world, "bare-out-mail.dane.example")


def test_unsigned_records_demand_nothing(world):
    delivered(world, "wrong-mail.unsigned.example")


SECRET = "The text that stays here."


def demanding(world, domain, head="", options=("REQUIRETLS", "RET=FULL")):
    subject = f"demanding {domain} {len(head)}"
    text = message(ANN, f"pat@{domain}", subject, f"{SECRET}\n")
    with world.home.submission(ANN) as s:
        s.ehlo_or_helo_if_needed()
        check.true(s.has_extn("requiretls"), "offered under TLS")
        s.sendmail(ANN, [f"pat@{domain}"], head + text, mail_options=list(options))
    return subject


def sent_back(world, domain, status, words, head=""):
    """At once, with this code; the news of it carries the header alone."""
    subject = demanding(world, domain, head)

    def news():
        return [m.decode() for _, m in world.home.inbox(ANN) if f"Subject: {subject}".encode() in m]
    found = check.until(news, f"{domain}: sent back")
    if found:
        check.contains(found[0], f"Status: {status}", f"{domain}: its code")
        check.contains(found[0], words, f"{domain}: in plain words")
        check.true(SECRET not in found[0], f"{domain}: without the text")
    check.equal(world.peer.find(f"Subject: {subject}"), [], f"{domain} got nothing")


def test_requiretls(world):
    """Postfix 3.7 does not know it, so nothing may go there, however well it proves itself."""
    sent_back(world, "good.sts.example", "5.7.30", "does not offer REQUIRETLS")
    sent_back(world, "right-mail.dane.example", "5.7.30", "does not offer REQUIRETLS")
    sent_back(world, "plain.sts.example", "5.7.10", "offers no encryption")
    sent_back(world, "wrong.sts.example", "5.7.10", "ostname mismatch")
    sent_back(world, "none.sts.example", "5.7.10", "neither DNSSEC nor MTA-STS")
    sent_back(world, "plain.sts.example", "5.7.10", "offers no encryption", "TLS-Required: No\n")
    check.true(story(world, "delivery.tls.refused", "domain=none.sts.example", "policy=requiretls"), "told")
    # Its next message may: nothing is held against the host.
    subject = demanding(world, "good.sts.example", "", ())
    check.until(lambda: world.peer.find(f"Subject: {subject}"), "reached without the demand")


def test_requiretls_and_a_policy_that_cannot_be_had(world):
    """There is a record; its server is gone. That is no reason to send mail back at once."""
    subject = demanding(world, "badweb.sts.example")

    def waiting():
        return [i for i in world.home.json("queue", "list")["items"]
                if i["to"] == "pat@badweb.sts.example" and i.get("attempts", 0) >= 2]
    row = check.until(waiting, "tried again")
    check.contains(str(row), "cannot be had now", "in plain words")
    check.equal(row[0]["tls"] if row else None, "required", "shown with it")
    check.equal([i["to"] for i in world.home.json("queue", "list", "tls:required")["items"]],
                ["pat@badweb.sts.example"], "and found by it")
    check.equal(world.peer.find(f"Subject: {subject}"), [], "nothing of it is there")
    world.home.run("queue", "delete", row[0]["id"]) if row else None


def test_plain_is_fine_for_the_sender(world):
    for domain in ("plain.sts.example", "wrong.sts.example", "wrong-mail.dane.example"):
        subject = demanding(world, domain, "TLS-Required: No\n", ())
        check.until(lambda: world.peer.find(f"Subject: {subject}"), f"{domain} reached")


def fetched(world, words):
    """Asks for the policy of one domain until its last fetch ended so."""
    def look():
        world.home.run("tls-policy", "fetch", "star.sts.example")
        check.until(lambda: not kept(world, "star.sts.example")["fetching"], "it is over")
        return (kept(world, "star.sts.example")["reason"] or "") == "" if not words else \
            words in (kept(world, "star.sts.example")["reason"] or "")
    check.until(look, words or "fetched")


def test_who_vouches_for_others_changes_at_a_reload(world):
    web = world.start(WebServer(WEB, world.ca.certificate("web2", "mta-sts.star.sts.example")))
    web.pages["mta-sts.star.sts.example"] = (200, "text/plain", policy("enforce", ["*.sts.example"]))
    before = world.home.workers()["queue"]
    fetched(world, "")
    other = Authority(world.out / "other-ca")
    world.home.reload(more=f"tls: {{ca_file: {other.file}}}\n")
    fetched(world, "certificate is not right")
    refused(world, "star.sts.example", "tls_cert", "unable to get local issuer certificate")
    world.home.reload(more=f"tls: {{ca_file: {world.ca.file}}}\n")
    fetched(world, "")
    delivered(world, "star.sts.example")
    world.home.reload(more="")
    fetched(world, "certificate is not right")
    world.home.reload(more=f"tls: {{ca_file: {world.ca.file}}}\n")
    check.equal(world.home.workers()["queue"], before, "all in one process")


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"


def long_body(out):
    out.write(HEAD + b"Content-Length: 1000000000\r\n\r\n")
    for _ in range(10000):
        out.write(b"mx: a.example\r\n" * 6000)


def chunks_without_end(out):
    out.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    for _ in range(1000000):
        out.write(b"1000\r\n" + b"x" * 0x1000 + b"\r\n")


def head_without_end(out):
    out.write(HEAD)
    for n in range(10000000):
        out.write(b"X-%d: %s\r\n" % (n, b"x" * 1000))


def drip(out):
    out.write(HEAD + b"Content-Length: 60000\r\n\r\n")
    for _ in range(600):
        out.write(b"#")
        out.flush()
        time.sleep(0.5)


def silence(out):
    time.sleep(300)


def memory_kib(world):
    """Of the queue process, its own."""
    pid = world.home.workers()["queue"][0]
    lines = open(f"/proc/{pid}/smaps_rollup", encoding="ascii").read().splitlines()
    return sum(int(x.split()[1]) for x in lines if x.startswith("Private_"))


def test_hostile_policy_servers(world):
    """R51 and RFC 8461 3.3: bounded in bytes, memory and time, and nobody else waits for them."""
    manners = {"star": long_body, "other": chunks_without_end, "expired": head_without_end,
               "plain": drip, "html": silence}
    names = [f"mta-sts.{d}.sts.example" for d in manners]
    web = WebServer(OTHER_WEB, world.ca.certificate("web3", *names))
    world.start(web)
    zone = sts_zone()
    for domain, manner in manners.items():
        web.pages[f"mta-sts.{domain}.sts.example"] = manner
        zone = zone.replace(f"mta-sts.{domain} IN A {WEB}", f"mta-sts.{domain} IN A {OTHER_WEB}")
    world.dns.change("sts.example", zone)
    before, begin = memory_kib(world), time.monotonic()
    for domain in manners:
        world.home.run("tls-policy", "fetch", f"{domain}.sts.example")
    check.until(lambda: len({h for h, _ in web.asked}) == len(manners), "all are asked")
    start = time.monotonic()
    delivered(world, "none.sts.example")
    check.true(time.monotonic() - start < 30, "honest mail waits for none of them")
    for domain, words in (("star", "too long"), ("other", "too long"), ("expired", "too long")):
        check.until(lambda d=domain: not kept(world, f"{d}.sts.example")["fetching"], f"{domain} is over")
        check.contains(kept(world, f"{domain}.sts.example")["reason"] or "", words, domain)
    for domain in ("plain", "html"):
        check.until(lambda d=domain: not kept(world, f"{d}.sts.example")["fetching"], f"{domain} is over")
        check.contains(kept(world, f"{domain}.sts.example")["reason"] or "", "takes too long", domain)
    print(f"  all five over after {time.monotonic() - begin:.0f} s, {memory_kib(world) - before} KiB more")
    if not SANITIZED:
        check.true(memory_kib(world) - before < 8192, "and no memory is lost")
    world.dns.change("sts.example", sts_zone())


def test_the_resolver_is_trusted_from_a_reload_on(world):
    world.home.reload(trusted="false")
    delivered(world, "wrong-mail.dane.example")
    world.home.reload(trusted="true")
    refused(world, "wrong-mail.dane.example", "tls_cert", "TLSA")


def test_private_addresses_are_refused(world):
    world.home.reload(private="false")
    zone = sts_zone() + 'inside IN MX 10 wrong\n_mta-sts.inside IN TXT "v=STSv1; id=1"\n' \
                        f'mta-sts.inside IN A {WEB}\n'
    world.dns.change("sts.example", zone)
    submit(world, "inside.sts.example", "inside")
    check.until(lambda: story(world, "tls.policy.failed", "domain=inside.sts.example",
                              "not of the Internet"), "refused after resolution")
