"""The way out when it is not easy: dead hosts, null MX, refusals, bounces, holds."""
import re

import check
from names import ZONES
from world import message

ANN, BOB, PEER = "ann@home.example", "bob@home.example", "pat@peer.example"


def setup(world):
    world.names()
    world.postfix(settings={"smtpd_recipient_restrictions":
                            "check_recipient_access inline:{"
                            "{gone@peer.example=550 5.1.1 no such person} "
                            "{full@peer.example=452 4.2.2 mailbox full}}, permit_mynetworks, reject",
                            "virtual_mailbox_domains": "peer.example onlya.odd.example "
                            "twomx.odd.example alias.odd.example odd.example manymx.odd.example"})
    world.appliance(retry="1s 2s 2s", lifetime="20s")


def submit(world, rcpts, subject, sender=ANN, **more):
    with world.home.submission(ANN) as s:
        s.sendmail(sender, rcpts, message(sender, rcpts[0], subject), **more)


def bounce(world, subject):
    """The DSN about this message in Ann's INBOX."""
    def look():
        return [m for m in world.home.find(ANN, subject) if b"multipart/report" in m]
    found = check.until(look, f"DSN about {subject}")
    return found[0] if found else b""


def test_mx_forms(world):
    for n, domain in enumerate(("onlya.odd.example", "twomx.odd.example", "alias.odd.example")):
        submit(world, [f"pat@{domain}"], f"form {n}")
        check.until(lambda n=n: world.peer.find(f"Subject: form {n}"), f"{domain} reached")


def test_many_dead_hosts_before_one_that_lives(world):
    """The thirteenth host is tried, unless the limit says otherwise."""
    dead = "".join(f"manymx IN MX 10 dead{n}\ndead{n} IN A 127.0.0.99\n" for n in range(12))
    world.dns.change("odd.example", ZONES["odd.example"] + dead + "manymx IN MX 20 mx.peer.example.\n")
    submit(world, ["pat@manymx.odd.example"], "thirteenth")
    check.until(lambda: world.peer.find("Subject: thirteenth"), "reached")
    home, since = world.home, len(world.home.log())
    home.reload(more="limits: {delivery_addresses: 12}\n", lifetime="1h")
    submit(world, ["pat@manymx.odd.example"], "only twelve")
    home.wait_for(r"message\.deferred .*rcpt=pat@manymx", since)
    home.reload(more="limits: {delivery_addresses: 13}\n")
    check.until(lambda: world.peer.find("Subject: only twelve"), "reached with one more")
    home.reload(more="", lifetime="20s")


def test_null_mx_and_nxdomain_bounce_at_once(world):
    for n, (rcpt, code) in enumerate((("x@null.odd.example", b"5.1.10"),
                                      ("x@missing.odd.example", b"5.1.2"))):
        submit(world, [rcpt], f"no mail {n}")
        dsn = bounce(world, f"no mail {n}")
        check.contains(dsn, b"Status: " + code, rcpt)
        check.contains(dsn, b"Final-Recipient: rfc822; " + rcpt.encode(), rcpt)
        check.true(dsn.startswith(b"Return-Path: <>"), "null sender")


def test_a_permanent_refusal_bounces_with_the_remote_words(world):
    submit(world, ["gone@peer.example"], "to gone")
    dsn = bounce(world, "to gone")
    check.contains(dsn, b"Diagnostic-Code: smtp; 550", "diagnostic code")
    check.contains(dsn, b"no such person", "the other side's words")
    check.contains(dsn, b"Action: failed", "action")


def test_one_refused_recipient_does_not_hold_the_others(world):
    submit(world, [PEER, "gone@peer.example"], "mixed")
    check.until(lambda: world.peer.find("Subject: mixed"), "good one delivered")
    bounce(world, "Subject: mixed")


def test_a_temporary_refusal_waits_shows_its_reason_and_expires(world):
    submit(world, ["full@peer.example"], "to full")

    def waiting():
        items = world.home.json("queue", "list")["items"]
        return [i for i in items if i["to"] == "full@peer.example" and "4.2.2" in str(i)]
    check.until(waiting, "in the queue, with the reason")
    check.until(lambda: re.search(r"\s[1-9]\d*s\s", world.home.run("queue", "list").stdout), "its age, with a unit")
    dsn = bounce(world, "to full")
    check.contains(dsn, b"Action: failed", "expired")
    # What follows takes its time on a busy machine.
    world.home.reload(lifetime="1h")


def test_a_private_address_waits_for_the_owner(world):
    home = world.home
    home.reload(private="false", lifetime="1h")
    submit(world, ["pat@onlya.odd.example"], "to a private address")
    row = check.until(lambda: [i for i in home.json("queue", "list")["items"]
                               if i["to"] == "pat@onlya.odd.example" and i["reason"]], "it waits")[0]
    check.equal(row["reason"]["class"], "private_target", "a setting here is in the way")
    check.contains(row["reason"]["plain"], "delivery.private_targets", "and which")
    home.reload(private="true", lifetime="20s")
    home.run("queue", "retry", row["id"])
    check.until(lambda: world.peer.find("Subject: to a private address\n"), "once it is mended it arrives")


def test_hold_release_retry_delete(world):
    home = world.home
    submit(world, ["x@down.odd.example"], "to a dead host")
    item = check.until(lambda: [i for i in home.json("queue", "list")["items"]
                                if i["to"] == "x@down.odd.example"], "queued")[0]
    home.run("queue", "hold", item["id"])
    # Not before a try ends that had begun.
    check.until(lambda: home.json("queue", "show", item["id"])["state"] == "held", "held")
    home.run("queue", "release", item["id"])
    check.true(home.json("queue", "show", item["id"])["state"] != "held", "released")
    home.run("queue", "retry", item["id"])
    home.run("queue", "delete", item["id"])
    check.until(lambda: not [i for i in home.json("queue", "list")["items"]
                             if i["id"] == item["id"] and i["state"] != "trash"], "deleted")


def test_a_person_sends_it_back(world):
    home = world.home
    submit(world, ["full@peer.example"], "to be sent back")
    item = check.until(lambda: [i for i in home.json("queue", "list")["items"]
                                if i["to"] == "full@peer.example"], "queued")[0]
    home.run("queue", "hold", item["id"])
    home.run("queue", "bounce", item["id"])
    dsn = bounce(world, "to be sent back")
    check.contains(dsn, b"Action: failed", "bounced at once")
    check.equal([i for i in home.json("queue", "list")["items"] if i["id"] == item["id"]], [],
                "gone from the queue")


def test_mail_waits_while_the_peer_is_away(world):
    world.peer.stop()
    submit(world, [PEER], "peer was away")
    check.until(lambda: [i for i in world.home.json("queue", "list")["items"]
                         if i["to"] == PEER and i.get("attempts", 0) >= 1], "tried")
    world.peer.start()
    check.until(lambda: world.peer.find("Subject: peer was away"), "delivered later")
    check.equal(len(world.peer.find("Subject: peer was away")), 1, "once")


def test_dsn_on_request_and_never(world):
    submit(world, [PEER], "tell me", rcpt_options=["NOTIFY=SUCCESS"])
    check.until(lambda: world.peer.find("Subject: tell me"), "delivered")
    submit(world, ["gone@peer.example"], "never tell", rcpt_options=["NOTIFY=NEVER"])
    check.until(lambda: not [i for i in world.home.json("queue", "list")["items"]
                             if i["to"] == "gone@peer.example"], "done")
    told = [m for m in world.home.find(ANN, "never tell") if b"multipart/report" in m]
    check.equal(told, [], "no DSN with NOTIFY=NEVER")


def test_our_own_host_as_mx_is_a_loop_not_a_storm(world):
    submit(world, ["x@loop.odd.example"], "to ourselves")
    dsn = bounce(world, "to ourselves")
    check.contains(dsn, b"Status: 5.4.6", "loop named")
