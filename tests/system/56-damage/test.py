"""Bits change on disks: it is found, told of, costs what it hits and nothing else."""
import base64
import http.client
import imaplib
import json
import poplib
import random
import smtplib
import sqlite3
import time

import check
from appliance import insecure_tls
from world import message

ANN, BOB, PEER = "ann@home.example", "bob@home.example", "pat@peer.example"


def setup(world):
    world.names()
    world.appliance(plaintext='["127.0.0.0/8"]', relay='["127.0.0.0/8"]', level="info",
                    more="limits: {restart_backoff_max: 1s}\n")
    world.home.add_admin("owner")


def data(world):
    return world.home.folder / "data"


def send(world, rcpt, subject, size=500, sender=PEER):
    body = base64.encodebytes(random.Random(subject).randbytes(size)).decode()
    with world.home.smtp() as s:
        s.sendmail(sender, [rcpt], message(sender, rcpt, subject, body))


def flip(path, at):
    with open(path, "r+b") as f:
        f.seek(at)
        byte = f.read(1)[0]
        f.seek(at)
        f.write(bytes([byte ^ 4]))


def last_place(world):
    """The segment file of the newest message, and a place in the middle of its body."""
    db = sqlite3.connect(f"file:{data(world)}/index.db?mode=ro", uri=True)
    segment, at, stored = db.execute(
        "SELECT segment, place, stored_bytes FROM message ORDER BY id DESC LIMIT 1").fetchone()
    db.close()
    return data(world) / "blobs" / f"{segment:06d}.seg", at + 200 + stored // 2


def subjects(world, account):
    return [m.split(b"Subject: ")[1].split(b"\r\n")[0].decode()
            for _, m in world.home.inbox(account)]


def test_a_damaged_message_is_one_message(world):
    home = world.home
    pids = home.workers()
    for subject, size in (("first", 500), ("small", 500), ("large", 400000), ("huge", 5 << 20),
                          ("last", 500)):
        send(world, ANN, subject, size)
        if subject in ("small", "large", "huge"):
            flip(*last_place(world))
    m = home.imap(ANN)
    m.select("INBOX")
    status, rows = m.uid("FETCH", "1:*", "(UID FLAGS ENVELOPE)")
    check.equal((status, len(rows)), ("OK", 5), "what the index knows of them")
    for uid, is_sound in ((1, True), (2, False), (3, False), (4, False), (5, True)):
        status, rows = m.uid("FETCH", str(uid), "(BODY.PEEK[])")
        got = [r for r in rows if isinstance(r, tuple)]
        check.equal((status, bool(got)), ("OK" if is_sound else "NO", is_sound), f"UID {uid}")
        if not is_sound:
            check.contains(str(rows), "SERVERBUG", f"UID {uid}")
    check.equal(m.noop()[0], "OK", "the connection goes on")
    m.logout()
    p = poplib.POP3(home.address, 110, timeout=20)
    p.user(ANN)
    p.pass_(home.passwords[ANN])
    check.equal(len(p.list()[1]), 5, "POP3 lists them")
    try:
        p.retr(3)
        check.fail("POP3 gives a damaged message")
    except poplib.error_proto as e:
        check.contains(str(e), "[SYS/PERM]", "POP3")
    check.contains(b"\n".join(p.retr(5)[1]), b"Subject: last", "POP3 goes on")
    p.quit()
    check.equal(home.workers(), pids, "nobody fell over it")


def test_it_is_an_event_of_its_message(world):
    home = world.home
    check.until(lambda: home.log().count("store.message_damaged") >= 3, "each is told of")
    trace = next(line for line in home.log().splitlines() if "store.message_damaged" in line)
    trace = trace.split("trace=")[1].split()[0]
    check.until(lambda: "store.message_damaged" in home.run("trace", "show", trace, "--json").stdout,
                "the delivery log of the message has it")


def test_a_damaged_message_can_be_deleted(world):
    m = world.home.imap(ANN)
    m.select("INBOX")
    check.equal(m.uid("STORE", "2,3,4", "+FLAGS.SILENT", r"(\Deleted)")[0], "OK", "STORE")
    check.equal(m.expunge()[0], "OK", "EXPUNGE")
    status, rows = m.uid("FETCH", "1:*", "(BODY.PEEK[])")
    check.equal((status, sum(isinstance(r, tuple) for r in rows)), ("OK", 2), "the others")
    m.logout()


def test_a_damaged_message_on_its_way_comes_back_to_its_sender(world):
    send(world, "x@peer.example", "on its way", sender=ANN)
    flip(*last_place(world))
    check.until(lambda: "message.deferred" in world.home.log(), "nobody takes it yet")
    world.postfix()
    check.until(lambda: [m for _, m in world.home.inbox(ANN) if b"damaged" in m],
                "the sender is told why", pause=0.5)
    check.equal(world.peer.messages(), [], "nothing has left")


def index_page(world, table):
    """Where the first page of a table's tree lies in index.db, of a stopped appliance."""
    db = sqlite3.connect(f"file:{data(world)}/index.db?mode=ro", uri=True)
    page = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?",
                      (table,)).fetchone()[0]
    db.close()
    return (page - 1) * 4096


def health(world):
    """-> {check: state} as the supervisor's people see it."""
    out = json.loads(world.home.run("health", "--json", check=False).stdout)
    return {c["id"]: c for c in out["items"]}


def test_a_damaged_page_of_the_index_is_told_of_and_the_rest_is_served(world):
    home = world.home
    send(world, BOB, "before the page")
    home.stop()
    index = data(world) / "index.db"
    sound = index.read_bytes()
    at = index_page(world, "queue")
    index.write_bytes(sound[:at] + b"\x5a" * 64 + sound[at + 64:])
    home.start_only()
    home.wait_until_ready()
    check.until(lambda: "store.index_damaged" in home.log(), "an event says so")
    check.until(lambda: health(world)["store"]["state"] == "fail", "/health says so")
    check.equal(health(world)["store"]["owner"], "you", "whose move it is")
    check.equal(subjects(world, BOB), ["before the page"], "mail is read")
    send(world, BOB, "local mail")
    check.until(lambda: "local mail" in subjects(world, BOB), "and taken")
    try:
        send(world, "x@away.example", "for the queue", sender=ANN)
        check.fail("nothing may be acknowledged over a damaged queue")
    except smtplib.SMTPResponseException as e:
        check.equal(e.smtp_code // 100, 4, f"put off: {e}")
    except smtplib.SMTPRecipientsRefused as e:
        check.equal(next(iter(e.recipients.values()))[0] // 100, 4, f"put off: {e}")
    done = home.run("queue", "list", check=False)
    check.true(done.returncode != 0 and "damaged" in done.stderr, f"the queue: {done.stderr}")
    check.equal(home.log().count("role.restart"), 0, "nobody fell over it")
    home.stop()
    index.write_bytes(sound)
    home.start()


def say_unavailable(home):
    """Who wants to log in hears soon that it is not possible now, and why."""
    begin = time.monotonic()
    m = imaplib.IMAP4(home.address, 143, timeout=20)
    try:
        m.login(BOB, home.passwords[BOB])
        check.fail("IMAP lets somebody in")
    except imaplib.IMAP4.error as e:
        check.contains(str(e), "[UNAVAILABLE]", "IMAP")
    m.shutdown()
    p = poplib.POP3(home.address, 110, timeout=20)
    p.user(BOB)
    try:
        p.pass_(home.passwords[BOB])
        check.fail("POP3 lets somebody in")
    except poplib.error_proto as e:
        check.contains(str(e), "-ERR [SYS/TEMP]", "POP3")
    p.close()
    with smtplib.SMTP(home.address, 587, timeout=20) as s:
        s.starttls()
        try:
            s.login(BOB, home.passwords[BOB])
            check.fail("submission lets somebody in")
        except smtplib.SMTPAuthenticationError as e:
            check.equal((e.smtp_code, e.smtp_error[:6]), (454, b"4.7.0 "), "submission")
    c = http.client.HTTPSConnection(home.address, 443, context=insecure_tls(), timeout=20)
    c.request("POST", "/api/v1/session",
              json.dumps({"name": "owner", "password": home.passwords["owner"]}),
              {"Content-Type": "application/json"})
    answer = c.getresponse()
    check.equal(answer.status, 503, "the API")
    check.contains(answer.read().decode(), '"not_ready"', "the API")
    c.close()
    took = time.monotonic() - begin
    check.true(took < 60, f"all four took {took:.1f} s")


def test_an_index_that_cannot_be_opened_keeps_the_doors_answered(world):
    home = world.home
    home.stop()
    log_before = len(home.log())
    index = data(world) / "index.db"
    sound = index.read_bytes()
    index.write_bytes(b"\x5a" * 200 + sound[200:])
    home.start_only()
    check.until(lambda: "text=\"index.db cannot be opened" in home.log()[log_before:],
                "the log says what to do")
    check.until(lambda: len(home.workers()) >= 5, "the others start all the same")
    with home.smtp() as s:
        check.equal(s.ehlo()[0], 250, "SMTP greets")
        codes = [s.mail(PEER)[0], s.rcpt(ANN)[0]]
        check.true(all(c == 250 or c // 100 == 4 for c in codes) and codes[1] != 250,
                   f"new mail is put off: {codes}")
    say_unavailable(home)
    done = home.run("domain", "list", check=False)
    check.true(done.returncode != 0 and done.stderr.strip(), "the command line says no, at once")
    check.true(home.process.is_running(), "the supervisor lives")
    # A backup comes into its place, as cp would put it there.
    index.write_bytes(sound)
    home.wait_until_ready()
    check.until(lambda: subjects(world, BOB) == ["before the page"], "all is back", pause=0.5)
    send(world, BOB, "after the backup")
    check.until(lambda: "after the backup" in subjects(world, BOB), "mail flows")


def test_a_damaged_day_of_the_delivery_log_costs_that_day(world):
    home = world.home
    home.stop()
    for day in (data(world) / "trace").glob("*.db"):
        size = day.stat().st_size
        for at in range(0, size, 512):
            flip(day, at)
    home.start()
    send(world, BOB, "after the day")
    check.until(lambda: "after the day" in subjects(world, BOB), "mail flows")
    check.until(lambda: home.run("trace", "subject:day", "--json", check=False).returncode == 0,
                "the log goes on")
    check.equal(home.workers().keys() >= {"store", "web"}, True, "all run")


def test_damage_under_a_running_appliance(world):
    """Random bytes of index and log change while people work."""
    home = world.home
    rng = random.Random(56)
    index = data(world) / "index.db"
    before = home.log().count("signal")
    for n in range(15):
        with open(index, "r+b") as f:
            f.seek(rng.randrange(4096, max(4097, index.stat().st_size)))
            f.write(bytes([rng.randrange(256)]))
        try:
            send(world, rng.choice((ANN, BOB)), f"while {n}")
        except (smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused):
            pass
        try:
            m = home.imap(BOB)
            m.select("INBOX")
            m.fetch("1:*", "(FLAGS BODY.PEEK[])")
            m.logout()
        except imaplib.IMAP4.error:  # whatever it says is an answer; silence is none
            pass
    check.true(home.process.is_running(), "the supervisor lives")
    check.equal(home.log().count("signal") - before, 0, "no process fell over it")
    check.true("panic" not in home.log(), "none of ours either")
