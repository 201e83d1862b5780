"""A worker without descriptors or memory: it says so or dies, harms nobody and comes back."""
import imaplib
import os
import pathlib
import resource
import socket
import time

import check
from world import message

ANN, BOB, PEER = "ann@home.example", "bob@home.example", "pat@peer.example"
TICKS = os.sysconf("SC_CLK_TCK")
CLIENTS = 40


def setup(world):
    world.names()
    world.appliance(plaintext='["127.0.0.0/8"]', level="info")


def cpu_s(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(text.split("VmSize:")[1].split()[0]) * 1024


def descriptors(pid):
    return max(int(n) for n in os.listdir(f"/proc/{pid}/fd")) + 1


def limit(pids, what, number):
    for pid in pids:
        hard = resource.prlimit(pid, what)[1]
        resource.prlimit(pid, what, (number, hard))


def connect(home, port, count):
    """-> sockets; nobody waits here for words."""
    found = []
    for _ in range(count):
        s = socket.create_connection((home.address, port), 60)
        s.settimeout(60)
        found.append(s)
    return found


def words(s):
    """What it says first; b"" is the end of the connection."""
    try:
        return s.recv(300)
    except (TimeoutError, OSError) as e:
        return str(e).encode()


def mail_flows(world, subject):
    with world.home.smtp() as s:
        s.sendmail(PEER, [ANN], message(PEER, ANN, subject))
    check.until(lambda: world.home.find(ANN, f"Subject: {subject}"), f"{subject}: mail flows")


def supervisor_lives(world, what):
    check.true(world.home.process.is_running(), f"{what}: the supervisor lives")


def without_descriptors(world, role, port, other):
    """Room for a few connections in each process of the role."""
    home = world.home
    pids = home.workers()[role]
    before = {pid: resource.prlimit(pid, resource.RLIMIT_NOFILE)[0] for pid in pids}
    for pid in pids:
        limit([pid], resource.RLIMIT_NOFILE, descriptors(pid) + 3)
    clients = connect(home, port, CLIENTS)
    begin = sum(cpu_s(p) for p in pids)
    since = time.monotonic()
    while time.monotonic() - since < 3:
        time.sleep(0.1)
    used = sum(cpu_s(p) for p in pids) - begin
    check.true(used < 1.0, f"{role} does not spin: {used:.2f} s of 3 s")
    check.until(lambda: "listen.descriptors" in home.log(), f"{role}: the log says why")
    other(world)
    supervisor_lives(world, role)
    check.equal(sorted(home.workers()[role]), sorted(pids), f"{role} itself lives")
    served = 0
    for s in clients:
        s.settimeout(0.01)
        said = words(s)
        served += said.startswith((b"220", b"* OK"))
        check.true(not said or said.startswith((b"220", b"421", b"* OK", b"* BYE"))
                   or b"timed out" in said or b"reset" in said, f"{role} said {said!r}")
        s.close()
    check.true(0 < served < CLIENTS, f"{role}: {served} of {CLIENTS} were served")
    for pid, number in before.items():
        limit([pid], resource.RLIMIT_NOFILE, number)
    mail_flows(world, f"after {role} without descriptors")
    check.equal(sorted(home.workers()[role]), sorted(pids), f"{role} was not started again")


def imap_works(world):
    m = world.home.imap(ANN)
    check.equal(m.select("INBOX")[0], "OK", "IMAP meanwhile")
    m.logout()


def smtp_works(world):
    with world.home.smtp() as s:
        check.equal(s.noop()[0], 250, "SMTP meanwhile")


def test_smtp_without_descriptors(world):
    without_descriptors(world, "smtp", 25, imap_works)


def test_imap_without_descriptors(world):
    without_descriptors(world, "imap", 143, smtp_works)


def try_to_send(world, subject, size):
    """True: it was taken; False: it was not, or nobody knows."""
    try:
        with world.home.smtp() as s:
            s.sendmail(PEER, [BOB], message(PEER, BOB, subject, body="x" * 70 + "\n" * 2
                                            + ("y" * 70 + "\n") * (size // 71)))
        return True
    except OSError:  # smtplib's errors are such, too
        return False


def test_smtp_without_memory(world):
    home = world.home
    pids = home.workers()["smtp"]
    ended = home.log().count("role=smtp index=")
    for pid in pids:
        limit([pid], resource.RLIMIT_AS, memory(pid) + (1 << 20))
    taken = [n for n in range(6) if try_to_send(world, f"short {n}", 3 << 20)]
    check.until(lambda: len(taken) < 6 or home.log().count("role=smtp index=") > ended,
                "the limit is felt")
    supervisor_lives(world, "memory")
    imap_works(world)
    # Who died of it has come back without our limit; nobody else may have died.
    for pid in set(pids) & set(home.workers().get("smtp", [])):
        limit([pid], resource.RLIMIT_AS, resource.RLIM_INFINITY)
    check.until(lambda: len(home.workers().get("smtp", [])) == len(pids), "smtp is whole")
    mail_flows(world, "after no memory")
    found = [m for _, m in home.inbox(BOB)]
    for n in range(6):
        times = sum(f"Subject: short {n}\r\n".encode() in m for m in found)
        check.true(times == 1 if n in taken else times <= 1,
                   f"message {n}, {'taken' if n in taken else 'refused'}: {times} times there")


def login_answer(home, user):
    m = imaplib.IMAP4(home.address, 143, timeout=30)
    try:
        m.login(user, home.passwords[user])
        return "OK"
    except imaplib.IMAP4.error as e:
        return str(e)
    finally:
        m.shutdown()


def test_store_without_memory(world):
    """Looking at a password takes 19 MiB: where they are not there, nobody is told that
    the password is wrong, and nothing is lost."""
    home = world.home
    home.add_account("cleo@home.example")
    pids = home.workers()["store"]
    limit(pids, resource.RLIMIT_AS, memory(pids[0]) + (8 << 20))
    said = login_answer(home, "cleo@home.example")
    check.true(said != "OK", "the limit is felt")
    check.contains(said, "UNAVAILABLE", "a temporary answer")
    supervisor_lives(world, "store")
    check.true(try_to_send(world, "meanwhile", 100), "mail is taken meanwhile")
    for pid in set(pids) & set(home.workers().get("store", [])):
        limit([pid], resource.RLIMIT_AS, resource.RLIM_INFINITY)
    home.wait_until_ready()
    check.equal(login_answer(home, "cleo@home.example"), "OK", "with memory again")
    check.equal(len(home.find(BOB, "Subject: meanwhile")), 1, "what was taken is there")
    mail_flows(world, "after a store without memory")


def test_smtp_holds_no_more_than_it_may(world):
    """Who gives way to others is gone, whether its client hears it or not."""
    home = world.home
    home.reload(more="limits: {smtp_connections: 128}\n")
    pids = home.workers()["smtp"]
    before = sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in pids)
    clients = []
    for n in range(600):
        s = socket.create_connection((home.address, 25), 60, source_address=(f"127.0.8.{n % 200 + 1}", 0))
        s.settimeout(60)
        check.true(words(s).startswith(b"220"), f"client {n} is greeted")
        clients.append(s)
    held = sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in pids) - before
    for s in clients:
        s.close()
    check.true(64 <= held <= 132, f"{held} connections of 600 are held")
    home.reload(more="")
    mail_flows(world, "after a crowd")


def command(s, line, code):
    """Sends it and reads to the reply with this code."""
    heard = b""
    s.sendall(line + b"\r\n")
    while not heard.startswith(code) and b"\n" + code not in heard:
        more = s.recv(4096)
        if not more:
            raise RuntimeError(f"{line[:40]}: {heard}, and no {code}")
        heard += more


def greeted(world, source):
    s = socket.create_connection((world.home.address, 25), 10, source_address=(source, 0))
    s.settimeout(10)
    check.true(words(s).startswith(b"220"), f"{source} is greeted")
    return s


def test_hosts_leave_room_for_logins(world):
    """Each of many hosts brings a message and stays: people come in."""
    home = world.home
    home.reload(more="limits: {smtp_connections: 16}\n")
    hosts = []
    for n in range(40):
        s = greeted(world, f"127.0.8.{n + 1}")
        for line, code in ((b"EHLO mx.peer.example", b"250 "), (b"MAIL FROM:<%s>" % PEER.encode(), b"250 "),
                           (b"RCPT TO:<%s>" % ANN.encode(), b"250 "), (b"DATA", b"354 "),
                           (message(PEER, ANN, f"host {n}").replace("\n", "\r\n").encode() + b".", b"250 "),
                           (b"MAIL FROM:<%s>" % PEER.encode(), b"250 ")):
            command(s, line, code)
        hosts.append(s)
    people = [home.submission(ANN) for _ in range(4)]
    for s in people:
        check.equal(s.noop()[0], 250, "stays")
        s.quit()
    for s in hosts:
        s.close()
    home.reload(more="")
    mail_flows(world, "after hosts and logins")


def test_a_proxy_speaks_for_many(world):
    """Its connections count for the clients it names, not for itself."""
    home = world.home
    home.reload(more="limits: {smtp_connections_ip: 2, proxy_wait: 0}\n", proxies='["127.0.0.2/32"]')
    spoken = []
    for n in range(12):
        s = greeted(world, "127.0.0.2")
        command(s, b"XCLIENT ADDR=192.0.2.%d" % n, b"220 ")
        spoken.append(s)
    last = b""
    for _ in range(6):  # two in each of two processes
        s = greeted(world, "127.0.0.2")
        s.sendall(b"XCLIENT ADDR=198.51.100.7\r\n")
        last = words(s)
        if last.startswith(b"421"):
            break
        spoken.append(s)
    check.true(last.startswith(b"421 4.7.0"), f"a client has its limit: {last}")
    for s in spoken:
        s.close()
    home.reload(more="", proxies="[]")
    mail_flows(world, "after a proxy")
