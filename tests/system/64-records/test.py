"""The records page follows edits of a real zone, without a reload; command line and REST say
the same."""
import hashlib
import http.client
import json
import os
import re
import ssl
import subprocess

import check
from appliance import ROOT, insecure_tls

ZONE = """
@      IN MX 10 mail
mail   IN A 127.0.0.10
"""
# A signed one. The resolver does not check here, it only tells that there is a DS record.
DELEGATION = """
home     IN NS ns.home
ns.home  IN A 127.0.0.54
home     IN DS 4711 13 2 """ + 64 * "a" + "\n"


def setup(world):
    world.names()
    world.appliance(retry="2s 30s")
    world.home.add_admin("owner")


def records(world):
    answer = world.home.json("domain", "dns", "home.example", "--check")
    return {i["key"]: i for i in answer["items"]}


def good_zone(world):
    """What `domain dns --zone --relative` says, put into the zone as it is."""
    text = world.home.run("domain", "dns", "home.example", "--zone", "--relative").stdout
    lines = [line for line in text.splitlines()
             if not line.startswith((";", "$")) and "\tA\t" not in line and "\tMX\t" not in line]
    return ZONE + "\n".join(lines) + "\n"


def test_the_command_says_what_is_missing(world):
    found = records(world)
    check.equal(found["mx"]["state"], "ok", "MX")
    check.equal((found["spf"]["state"], found["spf"]["cause"]), ("missing", "absent"), "SPF")
    check.equal(found["host_a"]["cause"], "host_loopback", "our test host")
    zone = world.home.run("domain", "dns", "home.example", "--zone", "--missing").stdout
    check.contains(zone, "home.example.\t3600\tIN\tTXT\t\"v=spf1", "a zone file")
    check.true("\tMX\t" not in zone, "without what is there")


def test_mistakes_are_recognised_by_name(world):
    for text, key, state, cause in (
            ('@ TXT "v=spf1 mx +all"', "spf", "differs", "spf_plus_all"),
            ('@ TXT "v=spf1 mx ~all"\n@ TXT "v=spf1 a ~all"', "spf", "conflict", "spf_two_records"),
            ('@ TXT "v=DMARC1; p=none"', "dmarc", "missing", "dmarc_at_apex"),
            ('_dmarc TXT "v=DMARC1; p=none; pct=50"', "dmarc", "differs", "dmarc_pct"),
            ('_imaps._tcp SRV 0 1 993 imap.elsewhere.example.', "srv_imaps", "differs",
             "other_value"),
            ('@ MX 20 mx.old.example.', "mx", "differs", "mx_other_too")):
        world.dns.change("home.example", ZONE + text + "\n")
        found = records(world)[key]
        check.equal((found["state"], found["cause"]), (state, cause), text)
        check.true(found["reason"] != "", "in plain words")


def test_the_zone_file_makes_all_well(world):
    world.dns.change("home.example", good_zone(world))
    found = records(world)
    bad = {k: (v["state"], v["cause"]) for k, v in found.items()
           if v["state"] not in ("ok", "optional") and not k.startswith(("host_", "ptr:"))}
    check.equal(bad, {}, "every record of the zone")
    check.until(lambda: {k["state"] for k in world.home.json(
        "domain", "dkim", "list", "home.example")["items"]} == {"active"}, "keys sign")


def test_a_backup_server_and_who_makes_certificates(world):
    home, more = world.home, "@ MX 20 mx.backup.example.\n"
    world.dns.change("home.example", ZONE + more + '@ CAA 0 issue "other-ca.example"\n')
    found = records(world)
    check.equal((found["mx"]["cause"], found["mx"]["detail"]), ("mx_other_too", "mx.backup.example"), "whose it is")
    check.equal((found["caa"]["state"], found["caa"]["expected"]), ("ok", []), "nobody said who makes ours")
    home.set("domains.backup_mx", "mx.backup.example")
    home.set("domains.certificate_issuer", "letsencrypt.org")

    def seen(key):
        row = {i["key"]: i for i in home.json("domain", "dns", "home.example")["items"]}[key]
        return row["state"], row["cause"]
    # Nobody asked for a look, and the next one would be in twenty seconds at the earliest.
    check.until(lambda: (seen("mx"), seen("caa")) == (("ok", "mx_backup"), ("differs", "caa_blocks")),
                "a look by itself", 17)
    found = records(world)
    check.equal((found["mx"]["state"], found["mx"]["cause"]), ("ok", "mx_backup"), "declared")
    check.equal((found["caa"]["state"], found["caa"]["cause"]), ("differs", "caa_blocks"), "another one")
    check.equal(found["caa"]["expected"], ['0 issue "letsencrypt.org"'], "what to publish")
    world.dns.change("home.example", ZONE + "@ MX 5 mx.backup.example.\n"
                     '@ CAA 0 issue "letsencrypt.org; validationmethods=dns-01"\n')
    found = records(world)
    check.equal((found["mx"]["state"], found["mx"]["cause"]), ("differs", "mx_backup_first"), "the wrong order")
    check.equal(found["caa"]["state"], "ok", "ours")
    home.set("domains.backup_mx")
    home.set("domains.certificate_issuer")


def test_a_record_is_left_as_it_is(world):
    home = world.home
    world.dns.change("home.example", ZONE)
    records(world)
    dns = home.json("domain", "dns", "home.example")
    home.run("domain", "dns", "mute", "home.example", "spf")
    muted = home.json("domain", "dns", "home.example")
    spf = {i["key"]: i for i in muted["items"]}["spf"]
    check.equal((spf["muted"], spf["muted_by"], spf["state"]), (True, "cli", "missing"), "shown as ever, and by whom")
    check.equal((muted["muted"], muted["required"]["total"]), (1, dns["required"]["total"] - 1), "counts no more")
    check.contains(home.log(), "action=dns.mute target=\"home.example spf\"", "an event")
    home.run("domain", "dns", "mute", "home.example", "spf")
    check.true(home.run("domain", "dns", "mute", "home.example", "nonsense", check=False).returncode != 0, "no such")
    home.stop()
    home.start()
    check.equal(home.json("domain", "dns", "home.example")["muted"], 1, "over a restart")
    home.run("domain", "dns", "unmute", "home.example", "spf")
    check.equal(home.json("domain", "dns", "home.example")["required"], dns["required"], "as before")


def own_key_sha256(world):
    """Of the key in the certificate that this server shows, as openssl finds it."""
    pem = ssl.get_server_certificate((world.home.address, 443))
    for args in (["x509", "-noout", "-pubkey"], ["pkey", "-pubin", "-outform", "DER"]):
        pem = subprocess.run(["openssl", *args], input=pem if isinstance(pem, bytes) else pem.encode(),
                             check=True, capture_output=True).stdout
    return hashlib.sha256(pem).hexdigest()


def own_certificate(world):
    """All of it, by its SHA-512."""
    pem = ssl.get_server_certificate((world.home.address, 443))
    return f"3 0 2 {hashlib.sha512(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()}"


def test_what_this_server_shows_as_its_certificate(world):
    ours, former = f"3 1 1 {own_key_sha256(world)}", "3 1 1 " + 64 * "a"
    row = "_25._tcp.mail TLSA {}\n"
    world.dns.change("home.example", ZONE)
    found = records(world)["tlsa"]
    check.equal(found["expected"], [ours], "the record to publish")
    check.equal((found["state"], found["cause"]), ("optional", "zone_unsigned"), "without DNSSEC")
    world.dns.zones["example"] = DELEGATION
    for texts, state, cause in (((former,), "differs", "tlsa_stale"), ((ours,), "ok", ""),
                                ((former, ours), "ok", "tlsa_old_too"),
                                ((own_certificate(world),), "ok", ""),
                                ((ours.replace("3 1 1", "1 1 1"),), "differs", "tlsa_unusable")):
        world.dns.change("home.example", ZONE + "".join(row.format(t) for t in texts))
        found = records(world)["tlsa"]
        check.equal((found["state"], found["cause"]), (state, cause), f"TLSA {texts}")
    del world.dns.zones["example"]
    hosts = "mta-sts A 127.0.0.10\n"
    world.dns.change("home.example", ZONE + hosts)
    found = records(world)
    named = {k: v["cause"] for k, v in found.items() if v["name"].startswith("mta-sts.")}
    check.true("certificate_name" in named.values(), f"a name it does not cover: {named}")
    check.true(found["host_a"]["cause"] != "certificate_name", "its own it does")


def fetch(world, method, path, host, body=None, kind="text/xml"):
    c = http.client.HTTPSConnection(world.home.address, 443, context=insecure_tls(), timeout=20)
    c.request(method, path, body, {"Host": host, **({"Content-Type": kind} if body else {})})
    answer = c.getresponse()
    return answer.status, answer.read().decode()


def test_programs_get_their_settings_without_a_login(world):
    status, text = fetch(world, "GET", "/mail/config-v1.1.xml", "autoconfig.home.example")
    check.equal(status, 200, "Thunderbird, by the host")
    check.contains(text, "<hostname>mail.home.example</hostname>\n<port>993</port>", "IMAP")
    for address in ("ann@home.example", "nobody@home.example"):
        status, again = fetch(world, "GET", f"/.well-known/autoconfig/mail/config-v1.1.xml"
                              f"?emailaddress={address}", "mail.home.example")
        check.equal((status, again), (200, text), "the same for everybody: nothing is learned")
    status, _ = fetch(world, "GET", "/mail/config-v1.1.xml?emailaddress=x@other.example",
                      "mail.home.example")
    check.equal(status, 404, "not ours")
    status, _ = fetch(world, "GET", "/mail/config-v1.1.xml", "autoconfig.other.example")
    check.equal(status, 421, "a host that is not ours")
    status, _ = fetch(world, "GET", "/api/v1/openapi.json", "autoconfig.home.example")
    check.equal(status, 421, "nothing else is served under that name")
    ask = "<Autodiscover><Request><EMailAddress>{}</EMailAddress></Request></Autodiscover>"
    status, text = fetch(world, "POST", "/autodiscover/autodiscover.xml",
                         "autodiscover.home.example", ask.format("ann@home.example"))
    check.equal(status, 200, "Outlook")
    check.contains(text, "<LoginName>ann@home.example</LoginName>", "the name to log in with")
    for bad in ("&xxe;@home.example", "a<b>@home.example", "x" * 5000 + "@home.example"):
        status, _ = fetch(world, "POST", "/autodiscover/autodiscover.xml",
                          "autodiscover.home.example", ask.format(bad))
        check.true(status in (404, 413), f"{bad[:20]}: {status}")
    status, text = fetch(world, "GET", "/mail/apple.mobileconfig?emailaddress=%3Cb%3E@home.example",
                         "mail.home.example")
    check.equal(status, 200, "Apple")
    check.true("<b>" not in text, "what was sent is escaped")


def uuids(world, address):
    _, text = fetch(world, "GET", f"/mail/apple.mobileconfig?emailaddress={address}", "mail.home.example")
    found = re.findall(r"<key>PayloadUUID</key><string>([^<]*)</string>", text)
    check.true(len(found) == 2 and found[0] != found[1], f"{found}")
    check.true(all(re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", u)
                   for u in found), f"RFC 9562: {found}")
    return found


def test_a_profile_is_the_same_for_an_account(world):
    ann, bob = uuids(world, "ann@home.example"), uuids(world, "bob@home.example")
    check.equal(uuids(world, "ann@home.example"), ann, "the same again")
    check.true(not set(ann) & set(bob), "another one's is another")


def openssl(folder, *args):
    return subprocess.run(["openssl", *args], cwd=folder, check=True, capture_output=True).stdout


def certificate(world, name, days="30", purpose="serverAuth"):
    """A chain of three: a root that is trusted, one between, one for `name`; -> (chain, key)"""
    out = world.out / "ca"
    out.mkdir(exist_ok=True)
    key = ["-newkey", "rsa:2048", "-nodes"]
    if not (out / "root.pem").exists():
        (out / "ca.cnf").write_text("basicConstraints=critical,CA:TRUE\n")
        openssl(out, "req", "-x509", *key, "-keyout", "root.key", "-out", "root.pem", "-subj", "/CN=Root",
                "-days", "30")
        openssl(out, "req", *key, "-keyout", "mid.key", "-out", "mid.csr", "-subj", "/CN=Between")
        openssl(out, "x509", "-req", "-in", "mid.csr", "-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial",
                "-extfile", "ca.cnf", "-days", "30", "-out", "mid.pem")
    (out / "leaf.cnf").write_text(f"subjectAltName=DNS:{name}\nextendedKeyUsage={purpose}\n")
    openssl(out, "req", *key, "-keyout", "leaf.key", "-out", "leaf.csr", "-subj", f"/CN={name}")
    openssl(out, "x509", "-req", "-in", "leaf.csr", "-CA", "mid.pem", "-CAkey", "mid.key", "-CAcreateserial",
            "-extfile", "leaf.cnf", "-days", days, "-out", "leaf.pem")
    (out / "chain.pem").write_bytes((out / "leaf.pem").read_bytes() + (out / "mid.pem").read_bytes())
    return out / "chain.pem", out / "leaf.key"


def profile(world):
    c = http.client.HTTPSConnection(world.home.address, 443, context=insecure_tls(), timeout=20)
    c.request("GET", "/mail/apple.mobileconfig?emailaddress=ann@home.example", headers={"Host": "mail.home.example"})
    answer = c.getresponse()
    check.equal((answer.status, answer.headers["Content-Type"]), (200, "application/x-apple-aspen-config"), "profile")
    return answer.read()


def test_a_profile_is_signed_by_a_certificate_that_is_trusted(world):
    plain = profile(world)
    check.true(plain.startswith(b"<?xml"), "plain where ours is signed by itself")
    for name, days, purpose, is_signed in (("mail.home.example", "30", "serverAuth", True),
                                           ("other.home.example", "30", "serverAuth", False),
                                           ("mail.home.example", "-1", "serverAuth", False),
                                           ("mail.home.example", "30", "clientAuth", False)):
        chain, key = certificate(world, name, days, purpose)
        world.home.stop()
        world.home.write_config(more=f"tls: {{certificate: {chain}, key: {key}, ca_file: {chain.parent}/root.pem}}\n")
        world.home.start()
        got = profile(world)
        if not is_signed:
            check.equal(got, plain, f"plain with one for {name}, {days} days, {purpose}")
            continue
        (world.out / "profile.der").write_bytes(got)
        # With the root alone: what is between comes in the profile.
        said = subprocess.run(["openssl", "cms", "-verify", "-inform", "DER", "-in", world.out / "profile.der",
                               "-CAfile", chain.parent / "root.pem", "-purpose", "any"], capture_output=True)
        check.equal(said.returncode, 0, f"openssl: {said.stderr}")
        check.equal(said.stdout, plain, "the same profile inside")
        said = openssl(world.out, "cms", "-cmsout", "-print", "-inform", "DER", "-in", "profile.der")
        check.contains(said, b"messageDigest", "signed attributes, never a stranger's bytes alone")
        broken = bytearray(got)
        broken[got.index(b"mail.home.example")] ^= 1
        (world.out / "profile.der").write_bytes(broken)
        said = subprocess.run(["openssl", "cms", "-verify", "-inform", "DER", "-in", world.out / "profile.der",
                               "-CAfile", chain.parent / "root.pem", "-purpose", "any"], capture_output=True)
        check.true(said.returncode != 0, "a byte of another is seen")
    world.home.stop()
    world.home.write_config(more="")
    world.home.start()


def test_an_address_has_its_minute(world):
    home, path = world.home, "/mail/config-v1.1.xml"
    home.set("limits.public_requests", "10")  # at once: what is asked before counts as well

    def refused():
        status, text = fetch(world, "GET", path, "autoconfig.home.example")
        return status == 429 and text
    text = check.until(refused, "too many", pause=0)
    check.equal(json.loads(text)["violated_policy"], "address", "says why")
    status, _ = fetch(world, "GET", "/readyz", "mail.home.example")
    check.equal(status, 200, "what a monitor asks is not counted")
    home.json("domain", "list")  # nor the command line
    home.set("limits.public_requests")
    check.equal(fetch(world, "GET", path, "autoconfig.home.example")[0], 200, "the limit holds at once")


def test_the_policy_is_served_where_it_was_chosen(world):
    path = "/.well-known/mta-sts.txt"
    check.equal(fetch(world, "GET", path, "mta-sts.home.example")[0], 404, "no policy yet")
    token = world.home.json("token", "create", "policies")["token"]
    c = http.client.HTTPConnection(world.home.address, 8080, timeout=20)
    c.request("PUT", "/api/v1/domains/home.example/policies/mta_sts", '{"mode": "testing"}',
              {"Authorization": f"Bearer {token}", "Content-Type": "application/json"})
    check.equal(c.getresponse().status, 200, "testing")
    status, text = fetch(world, "GET", path, "mta-sts.home.example")
    check.equal((status, text.split("\r\n")[:3]),
                (200, ["version: STSv1", "mode: testing", "mx: mail.home.example"]), "the policy")
    check.equal(fetch(world, "GET", path, "mail.home.example")[0], 404, "by that name alone")
    check.equal(records(world)["mta_sts"]["state"], "missing", "and its record is wanted")


def test_where_reports_go(world):
    """A domain keeps the address that was chosen once; one command brings the reports here."""
    def policy(name):
        return world.home.json("domain", "policy", "show", "home.example", name)

    def change(name, *options, **more):
        return world.home.run("domain", "policy", "set", "home.example", name, *options, **more)
    for name in ("dmarc", "tls_rpt"):
        check.equal(policy(name)["rua_is_read"], True, f"{name}: read, where nobody chose")
        change(name, "--rua", "postmaster@home.example")
        check.equal((policy(name)["rua"], policy(name)["rua_is_read"]), ("postmaster@home.example", False),
                    f"{name}: as they were once")
    check.contains(records(world)["dmarc"]["expected"][0], "rua=mailto:postmaster@home.example", "its record")
    change("dmarc", "--policy", "quarantine", "--testing", "yes")
    check.equal(policy("dmarc")["rua"], "postmaster@home.example", "what is not given stays")
    for name, local in (("dmarc", "dmarc-reports"), ("tls_rpt", "tls-reports")):
        change(name, "--rua", "default")
        check.equal((policy(name)["rua"], policy(name)["rua_is_read"]), (f"{local}@home.example", True),
                    f"{name}: here")
    check.equal((policy("dmarc")["policy"], policy("dmarc")["testing"]), ("quarantine", True), "and nothing else")
    check.contains(records(world)["dmarc"]["expected"][0], "rua=mailto:dmarc-reports@home.example", "the record")
    change("dmarc", "--rua", "dmarc-reports@elsewhere.example")
    check.equal(policy("dmarc")["rua_is_read"], False, "the right name in a domain that is not ours")
    change("mta_sts", "--mode", "testing", "--max-age", "86400")
    check.equal((policy("mta_sts")["mode"], policy("mta_sts")["max_age_s"]), ("testing", 86400), "MTA-STS")
    for name, options, words in (("tls_rpt", ("--mode", "none"), "no such part"),
                                 ("dmarc", ("--testing", "maybe"), "yes or no"),
                                 ("mta_sts", ("--max-age", "long"), "seconds"),
                                 ("mta_sts", ("--max-age", "1"), "max_age_s"),
                                 ("spf", ("--rua", "x"), "no such part")):
        done = change(name, *options, check=False)
        check.true(done.returncode != 0, f"{name} {options}")
        check.contains(done.stderr, words, f"{name} {options}")
    change("dmarc", "--policy", "none", "--testing", "no", "--rua", "default")


def test_the_page_follows_the_zone(world):
    home = world.home
    world.dns.change("home.example", ZONE)
    home.run("domain", "dns", "home.example", "--check")
    env = dict(os.environ, URL=f"https://{home.hostname}", NAME="owner", DOMAIN="home.example",
               PASSWORD=home.passwords["owner"], SHOTS=str(world.out), HOME=str(world.out))
    node = subprocess.Popen(["node", str(ROOT / "tests" / "browser" / "records.mjs")], env=env,
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    edits = {
        "spf": lambda: world.dns.change(
            "home.example", ZONE + '@ TXT "v=spf1 ip4:192.0.2.99 -all"\n'),
        "two": lambda: world.dns.change(
            "home.example", ZONE + '@ TXT "v=spf1 mx ~all"\n@ TXT "v=spf1 a ~all"\n'),
        "silent": lambda: world.dns.nsd.stop(),
        "good": lambda: world.dns.change("home.example", good_zone(world)),
    }
    for line in node.stdout:
        print(line, end="", flush=True)
        if line.startswith("ASK "):
            edits[line.split()[1]]()
            node.stdin.write("done\n")
            node.stdin.flush()
    check.equal(node.wait(timeout=30), 0, "records in the browser")
