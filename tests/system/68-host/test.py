"""The host as others see it: reverse names and blocklists on a real name server, the way out to
a real Postfix; command line and REST say the same, and what changes is told."""
import json
import os
import re
import socket
import subprocess
import threading
import time

import check
from appliance import ROOT, Appliance

HERE = "192.0.2.10"  # loopback is nothing that others could reach
IP = "203.0.114.10"  # only in the DNS: nobody connects to it
HOME = f"""
@      IN MX 10 mail
mail   IN A {IP}
"""
REVERSE = "114.0.203.in-addr.arpa"
GOOD_NAME = "10 IN PTR mail.home.example.\n"
TEST_POINT = "2.0.0.127 IN A 127.0.0.2\n"
LISTED = "10.114.0.203 IN A 127.0.0.4\n"
SETTINGS = """host:
  blocklists: [bl.example]
  blocklists_minor: [small.example]
  outbound_targets: [peer.example, third.example]
"""


def setup(world):
    subprocess.run(["ip", "address", "add", f"{HERE}/32", "dev", "lo"], check=True)
    world.names()
    for zone, text in ((REVERSE, ""), ("bl.example", TEST_POINT), ("small.example", TEST_POINT),
                       ("third.example", "@ IN MX 10 mx\nmx IN A 127.0.0.30\n")):
        world.dns.zones[zone] = text
    world.dns.change("home.example", HOME)
    world.postfix()
    world.home = world.start(Appliance(world.out / "home", address=HERE, proxies=f'["{HERE}/32"]', more=SETTINGS))
    world.home.add_admin("owner")


def look(world, name):
    """What a run that is asked for says, once it is believed."""
    world.home.run("health", "run", name, check=False)
    found = world.home.json("health", "show", name)
    if found["last_run"] != found["state"]:
        world.home.run("health", "run", name, check=False)
        found = world.home.json("health", "show", name)
    check.equal(found["checking"], False, "the command waits for the end")
    return found


def says(found):
    return found["state"], found["cause"], found["text"]


def lines(found):
    return {i["name"]: i["state"] for i in found["details"]["lines"]}


def test_nobody_has_looked_yet(world):
    all_of_them = {i["id"]: i for i in json.loads(
        world.home.run("health", "--json", check=False).stdout)["items"]}
    for name in ("address", "ptr", "outbound", "blocklists", "resolver"):
        check.equal(all_of_them[name]["state"], "unknown", name)
        check.equal(all_of_them[name]["checked_at"], None, name)


def test_the_page_of_it(world):
    home = world.home
    # By its address: its name leads elsewhere in this test.
    env = dict(os.environ, URL=f"https://{home.address}", NAME="owner", HOME=str(world.out),
               PASSWORD=home.passwords["owner"], SHOTS=str(world.out))
    node = subprocess.Popen(["node", str(ROOT / "tests" / "browser" / "host.mjs")], env=env,
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    for line in node.stdout:
        print(line, end="", flush=True)
        if line.split()[:1] == ["ASK"]:
            world.dns.change(REVERSE, GOOD_NAME)
            node.stdin.write("done\n")
            node.stdin.flush()
    check.equal(node.wait(30), 0, "story")
    world.dns.change(REVERSE, "")


def test_its_name_and_the_name_of_its_address(world):
    check.equal(says(look(world, "address")), ("ok", None, f"mail.home.example: {IP}"), "address")
    found = look(world, "ptr")
    check.equal(says(found), ("fail", "ptr_missing", f"{IP}: no record"), "nothing there")
    check.equal(found["owner"], "isp", "whose move it is")
    check.contains(found["details"]["request"], f"{IP} to mail.home.example", "what to ask for")

    world.dns.change(REVERSE, "10 IN PTR mx.home.example.\n")
    world.dns.change("home.example", HOME + f"mx IN A {IP}\n")
    found = look(world, "ptr")
    check.equal(found["cause"], "ptr_other", "another name")
    check.equal(found["details"]["name"], "mx.home.example", "which leads back: one to take")

    world.dns.change(REVERSE, GOOD_NAME)
    check.equal(says(look(world, "ptr")), ("ok", None, f"{IP}: mail.home.example"), "as it should be")


def test_one_failure_alarms_nobody(world):
    look(world, "ptr")  # the second good one
    world.dns.change(REVERSE, "")
    home = world.home
    before = len(home.log())
    home.run("health", "run", "ptr", check=False)
    # It is looked at again by itself, half a second later: the log alone shows what was between.
    check.until(lambda: home.json("health", "show", "ptr")["state"] == "fail", "believed")
    shown = re.findall(r"health\.checked .*check=ptr state=(\w+)", home.log()[before:])
    check.equal(shown[:2], ["ok", "fail"], "not believed at once")
    check.until(lambda: re.search("health.changed .*check=ptr", home.log()[before:]), "and told")
    world.dns.change(REVERSE, GOOD_NAME)
    check.equal(look(world, "ptr")["state"], "ok", "well again at once")


def test_blocklists(world):
    found = look(world, "blocklists")
    check.equal(says(found), ("ok", None, "on none of 2 lists that answer"), "on none")
    world.dns.change("small.example", TEST_POINT + LISTED)
    check.equal(says(look(world, "blocklists")), ("warn", "listed_minor", "listed by 1 of 2: small.example"),
                "on a minor one")
    world.dns.change("bl.example", TEST_POINT + LISTED)
    found = look(world, "blocklists")
    check.equal((found["state"], lines(found)), ("fail", {"bl.example": "fail", "small.example": "warn"}),
                "on both")
    # Public resolvers are refused like this: it says nothing about the address.
    world.dns.change("bl.example", TEST_POINT + "10.114.0.203 IN A 127.255.255.254\n")
    world.dns.change("small.example", TEST_POINT)
    found = look(world, "blocklists")
    check.equal((found["state"], lines(found)), ("ok", {"bl.example": "unknown", "small.example": "ok"}),
                "refused is not listed")
    # A list whose name servers are gone.
    world.dns.change("bl.example", "@ IN A 127.0.0.1\n* IN A 192.0.2.80\n")
    check.equal(lines(look(world, "blocklists"))["bl.example"], "unknown", "a zone that was sold")


class Silent:
    """Takes connections and says nothing, or no SMTP."""

    def __init__(self, words=b""):
        self.words, self.heard = words, b""
        self.socket = socket.create_server(("127.0.0.30", 25))
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client, _ = self.socket.accept()
                client.sendall(self.words)
                while piece := client.recv(1000):
                    self.heard += piece
            except OSError:
                return

    def stop(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


def test_the_way_out(world):
    found = look(world, "outbound")
    check.equal(says(found), ("warn", "outbound_partly", "1 of 2 mail servers reached"), "one is down")
    check.equal(lines(found), {"peer.example": "ok", "third.example": "fail"}, "which")
    check.contains(found["details"]["lines"][0]["text"], "mx.peer.example [127.0.0.20]: greets with 220", "who")
    # Postfix heard a goodbye and nothing else; what only looked whether it is there says nothing.
    check.until(lambda: "quit=1 commands=1" in world.peer.log(), "it was connected to")
    said = {line.split("] ")[1] for line in world.peer.log().splitlines() if "disconnect from" in line}
    check.true(said <= {"quit=1 commands=1", "commands=0/0"}, f"all that was said: {said}")

    friend = Silent(b"220-mx.third.example\r\n220 ESMTP\r\n")
    check.equal(says(look(world, "outbound")), ("ok", None, "2 of 2 mail servers reached"), "both")
    check.until(lambda: friend.heard == b"QUIT\r\n", f"QUIT alone, not {friend.heard}")
    friend.stop()


def test_a_way_out_that_is_blocked(world):
    world.peer.stop()
    for words, text in ((b"", "does not greet"), (b"HTTP/1.0 400 Bad\r\n", "does not speak SMTP")):
        wall = Silent(words)
        found = look(world, "outbound")
        check.equal(found["cause"], "outbound_blocked", text)
        check.equal(found["owner"], "isp", "whose move it is")
        check.contains(found["details"]["lines"][1]["text"], text, "how")
        check.contains(found["details"]["request"], "TCP port 25", "what to ask for")
        wall.stop()
    check.equal(world.home.run("health", check=False).returncode, 1, "status of the command")
    check.contains(world.home.run("health", check=False).stdout, "fail     Way out  ", "and its words")


def visit(ip, port=25):
    with socket.create_connection((HERE, port)) as s:
        s.sendall(f"PROXY TCP4 {ip} {HERE} 4000 {port}\r\n".encode())
        check.contains(s.recv(1000).decode(), "220", "greeted")
        # Who says nothing leaves no trace in the delivery log.
        for line in (b"HELO a.example\r\n", b"MAIL FROM:<a@a.example>\r\n", b"RCPT TO:<nobody@home.example>\r\n", b"QUIT\r\n"):
            s.sendall(line)
            s.recv(1000)


def test_the_way_in_is_proven_by_who_comes(world):
    check.equal(look(world, "inbound")["cause"], "inbound_never", "nobody came")
    visit("10.1.2.3")
    check.equal(look(world, "inbound")["cause"], "inbound_never", "nobody from outside")
    visit("203.0.115.9")
    found = {}

    def is_seen():
        found.update(look(world, "inbound"))
        return found["state"] == "ok"
    check.until(is_seen, "somebody came")
    check.contains(found["details"]["lines"][0]["text"], "last from 203.0.115.9 at 20", "who, and when")
    check.equal([i["state"] for i in found["details"]["lines"][1:]], ["unknown"] * 4, "the others")


def test_who_keeps_the_clock(world):
    found = world.home.json("health", "show", "clock")
    said = (world.home.folder / "run" / "clock").read_text()
    check.equal(found["cause"], None if said.startswith("kept") else "clock_free" if said == "free\n" else "clock_unknown", said)


def test_the_name_service(world):
    check.true(look(world, "resolver")["cause"] in (None, "resolver_slow"), "it answers")
    world.dns.stop()
    found = look(world, "resolver")
    check.equal(found["cause"], "resolver_silent", "it does not")
    # Silence is no finding about anything else.
    before = world.home.json("health", "show", "blocklists")["state"]
    found = look(world, "blocklists")
    check.true(found["state"] in (before, "unknown"), f"never listed: {found}")
    world.dns.start()
    check.true(look(world, "resolver")["cause"] in (None, "resolver_slow"), "and again")


def checked_at(world, name):
    return world.home.json("health", "show", name)["checked_at"]


def test_asking_again_and_again(world):
    """Others are asked no more often than every five seconds; every question gets a run of its own."""
    begin = time.monotonic()
    look(world, "address")
    seen = {checked_at(world, "address")}
    for _ in range(2):
        world.home.run("health", "run", "address", check=False)
        seen.add(checked_at(world, "address"))
    check.equal(len(seen), 3, "two more")
    check.true(time.monotonic() - begin > 9.5, f"not within {time.monotonic() - begin:.1f} s")


def test_a_changed_list_is_looked_at_at_once(world):
    before = {name: look(world, name)["checked_at"] for name in ("blocklists", "outbound", "ptr")}
    world.home.reload(more=SETTINGS.replace("[small.example]", "[]").replace(", third.example", ""))
    for name in ("blocklists", "outbound"):
        check.until(lambda name=name: checked_at(world, name) > before[name], name, 30)
    check.equal(checked_at(world, "ptr"), before["ptr"], "what has not changed waits for its turn")


def test_a_changed_way_out_is_looked_at_at_once(world):
    """Its process starts anew for that: the sandbox knew no such port."""
    before = {name: look(world, name)["checked_at"] for name in ("outbound", "ptr")}
    text = world.home.config.read_text()
    world.home.config.write_text(text.replace("port: 25,", "port: 2525,"))
    world.home.reread()
    check.until(lambda: checked_at(world, "outbound") > before["outbound"], "outbound", 60)
    check.equal(checked_at(world, "ptr"), before["ptr"], "what has not changed waits for its turn")
    world.home.config.write_text(text)
    world.home.reread()


def test_a_check_that_is_left_as_it_is(world):
    home = world.home

    def needs_you():
        return json.loads(home.run("health", "--json", check=False).stdout)["needs_you"]
    world.dns.change(REVERSE, "")
    check.equal(look(world, "ptr")["state"], "fail", "no name")
    before = needs_you()
    home.run("health", "mute", "ptr")
    found = home.json("health", "show", "ptr")
    check.equal((found["state"], found["muted"], bool(found["muted_at"])), ("fail", True, True), "shown as ever")
    check.true(found["muted_by"], "and who did it")
    check.equal(needs_you(), before - 1, "counts no longer")
    check.equal(home.run("health", "run", "ptr").returncode, 0, "nor in the status of the command")
    rows = [line for line in home.run("health", check=False).stdout.splitlines() if line]
    titles = [row.index(next(t for t in ("Reverse name", "Host name", "Way out", "Blocklists") if t in row))
              for row in rows if any(t in row for t in ("Reverse name", "Host name", "Way out", "Blocklists"))]
    check.equal(len(set(titles)), 1, f"one below the other: {rows}")
    check.true(any(re.match(r"fail \(muted\) +Reverse name ", row) for row in rows), f"and said: {rows}")
    home.run("health", "unmute", "ptr")
    check.equal(home.json("health", "show", "ptr")["muted"], False, "looked after again")
    check.equal(needs_you(), before, "and counts")
    check.true(home.run("health", "mute", "disk", check=False).returncode != 0, "what is our own trouble stays")
    world.dns.change(REVERSE, GOOD_NAME)


def test_nothing_is_said_to_our_own_network(world):
    """Whoever owns a domain may name an address of ours in it."""
    targets = SETTINGS.replace("peer.example, third.example", "third.example")
    friend = Silent(b"220 mx.third.example ESMTP\r\n")
    world.home.reload(more=targets)
    check.until(lambda: look(world, "outbound")["state"] == "ok", "with the owner's leave")
    friend.stop()
    stranger = Silent(b"220 mx.third.example ESMTP\r\n")
    world.home.reload(private="false")
    check.until(lambda: "none of the Internet" in str(look(world, "outbound")["details"]), "not without", 60)
    check.equal(stranger.heard, b"", "nobody speaks to it")
    stranger.stop()
    world.home.reload(private="true", more=SETTINGS)


def test_a_wrong_name(world):
    answer = world.home.run("health", "run", "wheather", check=False)
    check.true(answer.returncode != 0 and "not" in f"{answer.stdout}{answer.stderr}".lower(), answer)
    check.equal(world.home.run("health", "run", "disk", check=False).returncode, 0, "worked out anyway")
