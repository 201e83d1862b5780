"""The records page follows edits of a real zone, without a reload; command line and REST say
the same."""
import os
import subprocess

import check
from appliance import ROOT

ZONE = """
@      IN MX 10 mail
mail   IN A 127.0.0.10
"""


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
        "domain", "dkim", "list", "home.example")["items"]} == {"active"}, "keys sign", 10)


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
