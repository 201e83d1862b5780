"""Mail comes in from a real server, lies in a mailbox, goes out to a real server."""
import check
from world import message

ANN, BOB, PEER = "ann@home.example", "bob@home.example", "pat@peer.example"


def setup(world):
    world.names()
    world.postfix()
    world.appliance()


def test_postfix_delivers_to_us_over_tls(world):
    world.peer.send(PEER, ANN, message(PEER, ANN, "from postfix"))
    found = check.until(lambda: world.home.find(ANN, "Subject: from postfix"), "in Ann's INBOX")
    check.equal(len(found or []), 1, "messages")
    if found:
        check.true(found[0].startswith(b"Return-Path: <pat@peer.example>\r\n"), "Return-Path first")
        check.contains(found[0], b"with ESMTPS", "Received names TLS")
        check.contains(found[0], b"mtr_", "Received has the trace id")


def test_a_client_submits_and_postfix_gets_it_over_tls(world):
    with world.home.submission(ANN) as s:
        s.sendmail(ANN, [PEER], message(ANN, PEER, "to postfix"))
    found = check.until(lambda: world.peer.find("Subject: to postfix"), "at Postfix")
    check.equal(len(found or []), 1, "messages")
    if found:
        check.contains(found[0], b"(using TLSv1.3", "Postfix saw TLS")
        check.true(found[0].count(b"Return-Path:") == 1, "one Return-Path")


def test_local_and_remote_recipients_of_one_message(world):
    with world.home.submission(ANN) as s:
        s.sendmail(ANN, [BOB, PEER], message(ANN, BOB, "both ways"))
    check.until(lambda: world.home.find(BOB, "Subject: both ways"), "in Bob's INBOX")
    check.until(lambda: world.peer.find("Subject: both ways"), "at Postfix")


def test_the_queue_is_empty_and_the_story_is_told(world):
    check.until(lambda: world.home.json("queue", "list")["items"] == [], "queue empty")

    def verdicts():
        return {t["verdict"] for t in world.home.json("trace", f"to:{PEER}")["items"]}

    # The delivery log is written behind the queue.
    check.until(lambda: verdicts() == {"delivered"}, "all traces of Pat end well")


def test_an_unknown_recipient_bounces_at_postfix_not_here(world):
    world.peer.send(PEER, "nobody@home.example", message(PEER, ANN, "to nobody"))
    check.until(lambda: "550 5.1.1" in world.peer.log(), "refused in the session")
    check.until(lambda: world.peer.find("Undelivered Mail Returned to Sender"), "Postfix's bounce")


def test_mail_survives_a_restart(world):
    before = world.home.inbox(ANN)
    check.equal(world.home.stop(), 0, "clean stop")
    world.home.start()
    check.equal(world.home.inbox(ANN), before, "INBOX after a restart")
