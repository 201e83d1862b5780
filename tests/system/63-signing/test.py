"""Mail that leaves is signed, by keys that everybody can look up: made by themselves, put to
work by the name servers' answer, changed under traffic without one failing signature.

What is signed is judged by programs of others: python3-dkim (RSA and Ed25519) here, and
opendkim (RSA) as the milter of the Postfix that receives."""
import http.client
import json
import pathlib
import re
import subprocess
import time

import check
from milters import OpenDkim
from world import message

ANN, PEER = "ann@home.example", "pat@peer.example"
HOME_ZONE = """
@      IN MX 10 mail
mail   IN A 127.0.0.10
"""
# The distribution's module belongs to the distribution's Python.
VERIFY = """
import sys, dkim, dns.resolver
resolver = dns.resolver.Resolver(configure=False)
resolver.nameservers = ["127.0.0.53"]
def txt(name, timeout=5):
    name = name.decode() if isinstance(name, bytes) else name
    try:
        answer = resolver.resolve(name, "TXT")
    except Exception:
        return None
    return b"".join(answer[0].strings)
data = sys.stdin.buffer.read()
d = dkim.DKIM(data)
n = sum(1 for name, _ in d.headers if name.lower() == b"dkim-signature")
for i in range(n):
    try:
        ok = d.verify(idx=i, dnsfunc=txt)
    except Exception as e:
        ok = repr(e)
    f = dkim.DKIM(data)
    print(i, ok)
"""


def setup(world):
    world.names()
    milter = world.start(OpenDkim(world.out / "opendkim"))
    world.postfix(settings={"smtpd_milters": str(milter),
                            "milter_default_action": "tempfail"})
    world.appliance(retry="1s 2s 2s", level="debug")
    world.token = world.home.json("token", "create", "tests")["token"]


def api(world, method, path, body=None, expect=200):
    c = http.client.HTTPConnection(world.home.address, 8080, timeout=30)
    c.request(method, f"/api/v1/domains/home.example{path}",
              None if body is None else json.dumps(body),
              {"Authorization": f"Bearer {world.token}", "Content-Type": "application/json"})
    answer = c.getresponse()
    text = answer.read()
    check.equal(answer.status, expect, f"{method} {path}: {text[:200]}")
    return json.loads(text) if text else {}


def keys(world):
    return api(world, "GET", "/dkim-keys")["items"]


def publish(world, which=None):
    """All keys of the domain that want to be published, into the zone."""
    rows = "".join(f'{k["record"]["relative"]} IN TXT {k["record"]["master"]}\n'
                   for k in keys(world) if k["state"] != "revoked" and
                   (which is None or k["selector"] in which))
    world.dns.change("home.example", HOME_ZONE + rows)


def look(world):
    world.home.run("domain", "dns", "home.example", "--check")


def send(world, subject, rcpts=(PEER,), body="Hello\n", more=""):
    with world.home.submission(ANN) as s:
        s.sendmail(ANN, list(rcpts), message(ANN, rcpts[0], subject, body, more))


def received(world, subject):
    found = check.until(lambda: world.peer.find(f"Subject: {subject}\n"), subject)
    return found[0] if found else b""


def verdicts(mail):
    run = subprocess.run(["/usr/bin/python3", "-c", VERIFY], input=mail, capture_output=True,
                         timeout=60)
    check.equal(run.returncode, 0, run.stderr.decode()[-300:])
    return [line.split(" ", 1)[1] for line in run.stdout.decode().splitlines()]


def test_a_new_domain_has_a_pair_of_keys_that_does_not_sign_yet(world):
    check.until(lambda: len(keys(world)) == 2, "two keys")
    check.equal(sorted((k["algorithm"], k["state"]) for k in keys(world)),
                [("ed25519", "publish"), ("rsa", "publish")], "a pair that waits")
    send(world, "unsigned")
    check.true(b"dkim-signature" not in received(world, "unsigned").lower(), "no signature")
    one = keys(world)[0]
    answer = api(world, "PATCH", f"/dkim-keys/{one['id']}",
                            {"state": "active"}, expect=409)
    check.equal(answer["code"], "dkim_not_verified", "what nobody can look up does not sign")


def test_published_keys_go_to_work(world):
    publish(world)
    look(world)
    check.until(lambda: all(k["state"] == "active" for k in keys(world)), "both active")
    send(world, "signed")
    mail = received(world, "signed")
    check.equal(mail.lower().count(b"dkim-signature:"), 2, "two signatures")
    check.equal(verdicts(mail), ["True", "True"], "both good for python3-dkim")
    results = re.findall(rb"(?is)^Authentication-Results:.*?(?=^\S)", mail, re.M)
    check.contains(b" ".join(results), b"dkim=pass", "and RSA for opendkim")
    for part in (b"c=relaxed/relaxed", b"d=home.example", b"x="):
        check.contains(mail, part, "in the signature")
    check.true(b"l=" not in b" ".join(re.findall(rb"(?is)^DKIM-Signature:.*?(?=^\S)", mail, re.M)),
               "never a part of the body only")


def test_odd_texts(world):
    for n, body in enumerate(("", "\n\n\n", ".\n..\n", "a  b \t c   \n\n\n", "x" * 5000 + "\n",
                              "long\n" * 300000)):
        send(world, f"odd {n}", body=body)
        check.equal(verdicts(received(world, f"odd {n}")), ["True", "True"], f"odd text {n}")


def test_notifications_are_signed_too(world):
    """A DSN is of the host's domain, whose parent is ours; one to a stranger leaves signed."""
    world.home.run("alias", "add", "lost@home.example", "nobody@missing.invalid")
    with world.home.smtp() as s:
        s.sendmail(PEER, ["lost@home.example"], message(PEER, "lost@home.example", "never arrives"))
    mail = (check.until(lambda: [m for m in world.peer.find("lost@home.example")
                                 if b"multipart/report" in m], "a notification") or [b""])[0]
    check.contains(mail, b"d=home.example", "signed by the domain of the host")
    check.equal(verdicts(mail), ["True", "True"], "both good for python3-dkim")
    sender = re.search(rb"(?im)^From:.*@([a-z.]+)>?", mail)
    check.equal(sender and sender.group(1), b"mail.home.example", "its author is the host")


def test_rotation_under_traffic(world):
    """Mail flows while a new pair is made, published, and takes over."""
    old = {k["selector"] for k in keys(world)}
    api(world, "POST", "/dkim-keys/rotate", {}, expect=202)
    check.until(lambda: len(keys(world)) == 4, "a second pair")
    sent = stage = over = 0
    end = time.monotonic() + 120
    while over < 5 and time.monotonic() < end:
        send(world, f"flow {sent:03d}")
        sent += 1
        over += stage == 2
        states = sorted(k["state"] for k in keys(world))
        if sent == 5:
            publish(world)
            world.home.run("domain", "dns", "home.example", "--check")
            stage = 1
        if stage == 1 and states.count("retiring") == 2:
            stage = 2
    check.equal(stage, 2, "the new pair took over")
    bad, selectors = [], set()
    for n in range(sent):
        mail = received(world, f"flow {n:03d}")
        selectors |= set(re.findall(rb"\bs=([a-z0-9]+);", mail))
        if verdicts(mail) != ["True", "True"]:
            bad.append(n)
    check.equal(bad, [], f"of {sent} messages none has a failing signature")
    check.true(len(selectors) == 4, f"old and new keys signed: {selectors}")
    for k in keys(world):
        if k["selector"] in old:
            api(world, "PATCH", f"/dkim-keys/{k['id']}",
                           {"state": "revoked"}, expect=409)


def test_private_halves_are_ours_alone(world):
    files = list(pathlib.Path(world.home.folder / "data/keys/dkim").iterdir())
    check.equal(len(files), 4, "one file a key")
    check.equal({f.stat().st_mode & 0o777 for f in files}, {0o600}, "0600")
    k = keys(world)[0]
    api(world, "PATCH", f"/dkim-keys/{k['id']}",
                   {"state": "revoked", "emergency": True})
    check.equal(len(list(pathlib.Path(world.home.folder / "data/keys/dkim").iterdir())), 3,
                "a revoked one has no private half any more")

