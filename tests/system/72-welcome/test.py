"""From an empty appliance to mail in both directions, by the dashboard alone: headless Chromium
goes through the first-domain wizard while a real zone is edited and a real server sends."""
import os
import subprocess

import check
from appliance import ROOT, Appliance
from world import message

PEER = "pat@peer.example"
ELSEWHERE = """
@      IN MX 10 mx.old.example.
mail   IN A 127.0.0.10
"""
ZONE = """
@      IN MX 10 mail
mail   IN A 127.0.0.10
"""


def setup(world):
    world.names()
    world.dns.change("home.example", ELSEWHERE)
    world.postfix()
    world.home = world.start(Appliance(world.out / "home", retry="2s 30s"))
    world.home.add_admin("owner")


def whole_zone(world):
    """What the server wants published, but for its own host, which is in ZONE."""
    text = world.home.run("domain", "dns", "home.example", "--zone", "--relative").stdout
    return ZONE + "\n".join(line for line in text.splitlines() if not line.startswith((";", "$"))
                            and "\tA\t" not in line and "\tMX\t" not in line) + "\n"


def answer(world, address):
    """What its person would do in the mail program, with the password the wizard showed."""
    with world.home.submission(address) as s:
        s.sendmail(address, [PEER], message(address, PEER, "Re: hello"))


def test_from_nothing_to_mail_both_ways(world):
    home = world.home
    env = dict(os.environ, URL=f"https://{home.hostname}", NAME="owner", HOME=str(world.out),
               PASSWORD=home.passwords["owner"], SHOTS=str(world.out))
    node = subprocess.Popen(["node", str(ROOT / "tests" / "browser" / "welcome.mjs")], env=env,
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    for line in node.stdout:
        print(line, end="", flush=True)
        words = line.split()
        if not words or words[0] != "ASK":
            continue
        if words[1] == "publish":
            world.dns.change("home.example", whole_zone(world))
        elif words[1] == "hello":
            world.peer.send(PEER, words[2], message(PEER, words[2], "hello"))
        elif words[1] == "answer":
            home.passwords[words[2]] = words[3]
            answer(world, words[2])
        node.stdin.write("done\n")
        node.stdin.flush()
    check.equal(node.wait(30), 0, "story")
