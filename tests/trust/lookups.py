"""R38-R40: name servers that loop, lie, dawdle or say nothing, and forged answers."""
import random
import re
import struct
import threading
import time

import check
import rig
from resolver import (A, CNAME, MX, NXDOMAIN, SERVFAIL, TXT, Resolver, ipv4, mx, text)
from rig import ANN, Attack, greeted, row

RULES = {}  # domain -> function of (question, is_tcp)


def decide(question, is_tcp):
    for domain, rule in RULES.items():
        if question.name == domain or question.name.endswith("." + domain):
            return rule(question, is_tcp)
    if question.name == "peer.example" and question.kind == TXT:
        return question.reply([(None, TXT, text("v=spf1 ip4:127.0.0.0/8 -all"))])
    return question.reply(code=NXDOMAIN)


def setup(world):
    rig.Names = None
    world.resolver = Resolver(decide)
    world.names = lambda **options: world.start(world.resolver)
    rig.home(world, more="limits: {smtp_connections_ip: 5000}\n")


def send(world, sender, what="x", source=None, seconds=60):
    """-> (code, seconds from the end of the text to the answer)"""
    w = greeted(world, source=source)
    w.ask(b"MAIL FROM:<a@" + sender.encode() + b">", 30)
    w.ask(b"RCPT TO:<" + ANN.encode() + b">", 30)
    w.ask(b"DATA", 30)
    begin = time.monotonic()
    code = w.ask(f"From: <a@{sender}>\r\nX-What: {what}\r\n\r\nx\r\n.".encode(), seconds)[0]
    w.close()
    return code, time.monotonic() - begin


def result(world, what):
    """The word of SPF in the message, "" where it was not kept."""
    found = world.home.find(ANN, f"X-What: {what}\r\n")
    head = found[0].split(b"\r\n\r\n")[0].replace(b"\r\n\t", b" ").replace(b"\r\n ", b" ") if found else b""
    word = re.search(rb"spf=(\w+)", head)
    return word[1].decode() if word else ""


def spf(function):
    """A rule that answers TXT with function(first label, question)."""
    def rule(question, is_tcp):
        return function(question.name.split(".")[0], question)
    return rule


def chain(label, q):
    n = int(label[1:]) if re.fullmatch(r"c\d+", label) else 0
    if q.kind == TXT:
        return q.reply([(None, TXT, text(f"v=spf1 include:c{n + 1}.chain.example -all"))])
    return q.reply()


def loop(label, q):
    return q.reply([(None, TXT, text("v=spf1 include:loop.example redirect=loop.example"))] if q.kind == TXT else [])


def many_mx(label, q):
    if q.kind == TXT:
        return q.reply([(None, TXT, text("v=spf1 " + "mx " * 50 + "-all"))])
    if q.kind == MX:
        return q.reply([(None, MX, mx(n, f"h{n}.mx100.example")) for n in range(100)])
    return q.reply([(None, A, ipv4("192.0.2.1"))])


def voids(label, q):
    if q.kind == TXT and q.name == "voids.example":
        return q.reply([(None, TXT, text("v=spf1 " + " ".join(f"a:v{n}.voids.example" for n in range(60)) + " -all"))])
    return q.reply(code=NXDOMAIN)


def macros(label, q):
    if q.kind == TXT and q.name == "macros.example":
        return q.reply([(None, TXT, text("v=spf1 " + " ".join(f"exists:%{{l}}.%{{i}}.%{{p}}.%{{v}}.{'%{d}.' * 12}m{n}.macros.example" for n in range(9)) +
                                         " exp=%{d}%{d}%{d}.macros.example -all"))])
    return q.reply(code=NXDOMAIN)


def wide(label, q):
    if q.kind == TXT:
        if q.name == "wide.example":
            return q.reply([(None, TXT, text("v=spf1 " + " ".join(f"include:w{n}.wide.example" for n in range(9)) + " -all"))])
        return q.reply([(None, TXT, text("v=spf1 " + " ".join(f"include:w{n}.{q.name}" for n in range(9)) + " -all"))])
    return q.reply()


def ptr(label, q):
    return q.reply([(None, TXT, text("v=spf1 " + "ptr " * 30 + "-all"))] if q.kind == TXT else [])


@row("R38", "SPF chains, loops, 100 MX, voids, macros, ptr")
def hostile_spf(world):
    cases = {"chain": chain, "loop": loop, "mx100": many_mx, "voids": voids, "macros": macros, "wide": wide, "ptr": ptr}
    most, slowest, words = 0, 0.0, {}
    for name, function in cases.items():
        RULES[f"{name}.example"] = spf(function)
        before = len(world.resolver.seen)
        code, took = send(world, f"{name}.example", name)
        asked = len(world.resolver.seen) - before
        check.true(code == 250 or code // 100 == 5, f"{name}: {code}")
        words[name] = result(world, name) or str(code)
        most, slowest = max(most, asked), max(slowest, took)
        check.true(asked <= 40, f"{name}: {asked} questions")
        check.true(took <= 15, f"{name}: {took:.1f} s")
    for name in ("chain", "loop", "mx100", "voids", "wide"):
        check.equal(words[name], "permerror", name)
    return f"at most {most} questions and {slowest:.1f} s a message, {words}"


def slowly(seconds):
    return lambda q, is_tcp: [seconds, q.reply([(None, TXT, text("v=spf1 -all"))] if q.kind == TXT else [])]


def cname_loop(q, is_tcp):
    other = "b.cname.example" if not q.name.startswith("b.") else "a.cname.example"
    from resolver import wire_name
    return q.reply([(None, CNAME, wire_name(other))])


def cname_chain(q, is_tcp):
    from resolver import wire_name
    return q.reply([(f"n{n}.cchain.example" if n else None, CNAME, wire_name(f"n{n + 1}.cchain.example")) for n in range(100)])


def liar(q, is_tcp):
    return q.reply([("other.example", TXT, text("v=spf1 +all")), ("other.example", A, ipv4("127.0.0.1"))])


def truncator(q, is_tcp):
    return None if is_tcp else q.reply(truncated=True)


def huge(q, is_tcp):
    if not is_tcp:
        return q.reply(truncated=True)
    return q.reply([(None, TXT, text("v=spf1 " + "x" * 240))] * 240)


def garbage(q, is_tcp):
    return q.id + random.Random(q.asked).randbytes(300)


def pointers(q, is_tcp):
    return q.id + struct.pack(">HHHHH", 0x8580, 1, 50, 0, 0) + q.section + b"\xc0\x20\xc0\x0c" * 100


@row("R39", "silent, slow, lying and looping name servers; 60 stuck messages")
def bad_dns(world):
    cases = {"silent": lambda q, t: None, "slow": slowly(3.0), "servfail": lambda q, t: q.reply(code=SERVFAIL), "cname": cname_loop,
             "cchain": cname_chain, "liar": liar, "tc": truncator, "huge": huge, "garbage": garbage, "pointers": pointers}
    said, stuck = {}, []
    RULES["stuck.example"] = lambda q, t: None

    def one(name):
        said[name] = send(world, f"{name}.example", name)

    def hang(n):
        stuck.append(send(world, f"s{n}.stuck.example", f"s{n}", source="127.0.0.66"))

    for name, rule in cases.items():
        RULES[f"{name}.example"] = rule
    with Attack(world, "bad DNS", more_mib=96) as attack:
        threads = [threading.Thread(target=one, args=(n,)) for n in cases]
        threads += [threading.Thread(target=hang, args=(n,)) for n in range(60)]
        for t in threads:
            t.start()
        begin = time.monotonic()
        honest = []
        while any(t.is_alive() for t in threads) and time.monotonic() - begin < 60:
            code, took = send(world, "peer.example", "honest", source="127.0.0.77")
            check.equal(code, 250, "honest mail")
            honest.append(took)
            time.sleep(0.5)
        for t in threads:
            t.join()
    for name, (code, took) in said.items():
        check.true(code // 100 in (2, 4, 5) and code, f"{name}: {code}")
        check.true(took < 30, f"{name}: {took:.1f} s")
    check.true(max(t for _, t in stuck) < 30, f"stuck: {max(stuck)}")
    check.true(max(honest) < 10, f"honest mail after {max(honest):.1f} s")
    words = {n: result(world, n) or str(said[n][0]) for n in cases}
    check.true("pass" not in words.values(), f"no lie is believed: {words}")
    return (f"{words}, slowest {max(t for _, t in said.values()):.1f} s, 60 stuck {max(t for _, t in stuck):.1f} s, "
            f"honest {max(honest):.2f} s, {attack.figure}")


def spoofed(q, is_tcp):
    """Forgeries that pass for an answer but for one thing each; then the truth."""
    lie, truth = [(None, TXT, text("v=spf1 +all"))], [(None, TXT, text("v=spf1 -all"))]
    if q.kind != TXT or q.name != "spoof.example":
        return q.reply()
    if is_tcp:  # nobody forges there
        return q.reply(truth)
    rng = random.Random(q.id)
    forged = [q.reply(lie, ident=rng.randbytes(2)) for _ in range(300)]
    forged = [f for f in forged if f[:2] != q.id]
    swapped = q.section[:1] + q.section[1:].swapcase()
    forged.append(q.reply(lie, section=swapped))
    other = q.section.replace(q.asked.split(".")[0].encode(), b"xpoof")
    forged.append(q.reply(lie, section=other))
    forged.append(q.reply(lie)[:2] + b"\x05\x80" + q.reply(lie)[4:])  # a question, no answer
    return [*forged, 0.3, q.reply(truth)]


@row("R40", "forged answers; ports and numbers")
def spoofing(world):
    RULES["spoof.example"] = spoofed
    world.resolver.ports.clear()
    code, _ = send(world, "spoof.example", "spoof")
    word = result(world, "spoof") or str(code)
    check.true(word in ("fail", "550"), f"the truth, not a forgery: {word}")
    for n in range(60):
        RULES[f"p{n}.example"] = lambda q, t: q.reply(code=NXDOMAIN)
        send(world, f"p{n}.example", f"p{n}")
    ports = [p for p, _ in world.resolver.ports]
    idents = [i for _, i in world.resolver.ports]
    check.true(len(set(ports)) > 0.9 * len(ports), f"{len(set(ports))} ports for {len(ports)} questions")
    check.true(len(set(idents)) > 0.9 * len(idents), f"{len(set(idents))} numbers")
    return f"303 forgeries, result {word}; {len(set(ports))} ports and {len(set(idents))} numbers for {len(ports)} questions"
