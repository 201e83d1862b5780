"""Two appliances: what the one saw of the other, it reports, and the other reads.

`away` lives in the past (libfaketime): its day ends when this test says so, and nothing that
it signs is of the future for `home`."""
import http.client
import json
import os
import pathlib
import signal
import smtplib
import time

import check
from appliance import Appliance, insecure_tls
from days import Days
from world import message

ANN, KIM = "ann@home.example", "kim@away.example"
BAD = "127.0.0.66"
ZONE = """
@      IN MX 10 mail
mail   IN A {address}
@      IN TXT "v=spf1 ip4:{address} -all"
_dmarc IN TXT "v=DMARC1; p=none; rua=mailto:dmarc-reports@{domain}"
_smtp._tls IN TXT "v=TLSRPTv1; rua=mailto:tls-reports@{domain}"
"""


def setup(world):
    dns = world.names()
    dns.zones["home.example"] = ZONE.format(address="127.0.0.10", domain="home.example")
    dns.zones["away.example"] = ZONE.format(address="127.0.0.11", domain="away.example")
    dns.stop()
    dns.start()
    world.appliance(source="127.0.0.10", retry="1s 1s 2s")
    world.token = world.home.json("token", "create", "tests")["token"]
    world.days = Days(world.out / "away")
    world.away = world.start(Appliance(
        world.out / "away", address="127.0.0.11", hostname="mail.away.example",
        domain="away.example", source="127.0.0.11", retry="1s 1s 2s", lifetime="5d",
        env=world.days.env))
    world.away.add_domain()
    world.away.add_account(KIM)
    for appliance in (world.home, world.away):
        world.dns.publish_keys(appliance)


def get(world, path):
    c = http.client.HTTPSConnection(world.home.address, 443, context=insecure_tls(), timeout=20)
    c.request("GET", "/api/v1" + path, headers={"Authorization": f"Bearer {world.token}"})
    answer = c.getresponse()
    body = answer.read()
    c.close()
    check.equal(answer.status, 200, f"{path}: {body[:200]}")
    return json.loads(body)


def test_a_day_of_mail(world):
    with world.home.submission(ANN) as s:
        for n in range(2):
            s.sendmail(ANN, [KIM], message(ANN, KIM, f"to away {n}"))
    with smtplib.SMTP(world.away.address, 25, "bad.example", timeout=60,
                      source_address=(BAD, 0)) as s:
        s.sendmail(ANN, [KIM], message(ANN, KIM, "forged"))
        # … and one that poses as its own.
        s.sendmail("x@bad.example", [KIM], message("boss@away.example", KIM, "posing"))
    with world.away.submission(KIM) as s:
        s.sendmail(KIM, [ANN], message(KIM, ANN, "to home"))
    check.until(lambda: world.home.find(ANN, "Subject: to home", "INBOX"), "it came")
    for subject in ("to away 0", "to away 1", "forged", "posing"):
        check.until(lambda s=subject: world.away.find(KIM, f"Subject: {s}", "INBOX"), subject)
    time.sleep(1)
    check.equal(get(world, "/reports/received?unproven=true")["items"], [], "not over yet")


def test_what_they_saw(world):
    world.days.morning(world.away)
    found = check.until(lambda: (r := get(world, "/reports/received?unproven=true")["items"])[1:] and r,
                        "both reports", 100)
    check.equal({(r["kind"], r["sender"], r["proven"]) for r in found},
                {("dmarc", "away.example", True), ("tls", "away.example", True)}, "proven")
    sums = get(world, "/reports/dmarc?domain=home.example")
    check.equal(sums["totals"], {"reports": 1, "aligned": 2, "failed": 1}, "DMARC")
    by = {i["origin"]: (i["aligned"], i["failed"], i["ours"]) for i in sums["items"]}
    check.equal(by, {"127.0.0.10": (2, 0, True), BAD: (0, 1, False)}, "by whom")
    sums = get(world, "/reports/tls?domain=home.example")
    check.equal(sums["totals"]["failed"], 0, "TLS")
    check.true(sums["totals"]["secured"] >= 1, f"sessions: {sums['totals']}")
    advice = get(world, "/domains/home.example/policies/dmarc/advice")
    check.contains(advice["text"], "Of 3 messages", "what a step would change")
    check.until(lambda: [r["verdict"] for r in world.home.json(
        "trace", "to:dmarc-reports@home.example")["items"]] == ["delivered"], "nothing is left over")
    check.equal(world.home.find(ANN, "Subject: Report", "INBOX"), [], "nobody's mailbox")


def test_what_it_saw_of_itself(world):
    """Its own verdicts count as well: it reports to itself."""
    def sums():
        return world.away.json("reports", "dmarc", "away.example")
    check.until(lambda: sums()["totals"]["reports"], "it reported to itself", 100)
    check.equal(sums()["totals"], {"reports": 1, "aligned": 0, "failed": 1}, "as it was seen")
    check.equal((sums()["items"][0]["origin"], sums()["unproven_reports"]), (BAD, 0), "by whom")


def test_they_sent_it(world):
    def sent():
        return world.away.json("reports", "sent", "--kind", "dmarc")["items"]
    check.until(lambda: all(r["state"] == "sent" for r in sent()), "sent")
    check.equal(sorted(r["domain"] for r in sent()), ["away.example", "home.example"], "on whom")
