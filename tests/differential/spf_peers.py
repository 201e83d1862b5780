#!/usr/bin/python3
"""SPF beside python3-spf: some thousand generated records, the same zone for both."""
import argparse
import pathlib
import random
import subprocess
import sys

import spf

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CASES_MIN = 4000  # with fewer some row would explain nothing
SEED = 7208
CLIENTS = ["192.0.2.1", "192.0.2.130", "198.51.100.7", "2001:db8::1", "2001:db8:1::25"]
NAMES = ["%s.test" % c for c in "abcdef"] + ["sub.a.test", "mail.b.test"]
LOCALS = ["user", "a.b-c+d", "postmaster", "x_y=z", "UPPER.case"]
QUALIFIERS = ["", "+", "-", "~", "?"]
PTR = {c: None for c in CLIENTS}


class Zone:
    """Names with their records: {(name, type): [data]}, TEMP where the server fails."""

    def __init__(self, rng):
        self.records, self.temp = {}, set()
        for name in NAMES:
            self.fill(rng, name)
        for client in CLIENTS:
            names = rng.sample(NAMES, rng.randint(0, 3))
            self.records[(reverse(client), "PTR")] = names

    def fill(self, rng, name):
        def some(kind, make, most):
            if rng.random() < 0.04:
                self.temp.add((name, kind))
            else:
                self.records[(name, kind)] = [make() for _ in range(rng.randint(0, most))]

        some("A", lambda: rng.choice(["192.0.2.1", "192.0.2.129", "198.51.100.7", "127.0.0.2"]), 3)
        some("AAAA", lambda: rng.choice(["2001:db8::1", "2001:db8:1::26"]), 2)
        some("MX", lambda: (10, rng.choice(NAMES)), 12 if rng.random() < 0.1 else 3)
        some("TXT", lambda: "no policy", 1)
        if rng.random() < 0.9:
            self.records.setdefault((name, "TXT"), []).append(record(rng))
        if rng.random() < 0.05:
            self.records.setdefault((name, "TXT"), []).append(record(rng))

    def lines(self):
        for (name, kind), data in self.records.items():
            for d in data:
                yield "%s %s %s" % (name, kind, "%d %s" % d if kind == "MX" else d)
        for name, kind in self.temp:
            yield "%s %s !temp" % (name, kind)

    def answer(self, name, kind, *_):
        """What python3-spf asks through."""
        key = (name.lower().rstrip("."), kind)
        if key in self.temp:
            raise spf.TempError("DNS Error: SERVFAIL")
        for d in self.records.get(key, []):
            if kind == "TXT":
                d = [d.encode()]
            yield (name, kind), d


def reverse(ip):
    return spf.ipaddress.ip_address(ip).reverse_pointer


def macro(rng):
    if rng.random() < 0.1:
        return rng.choice(["%%", "%_", "%-", "%{S}", "%{L1r-}", "%{I}", "%{p}", "%{c}", "%{r}", "%{t}", "%{d128}",
                           "%{ir}.%{v}", "%{h2}", "%{l1r+-.}"])
    return "%{" + rng.choice("slodivh") + rng.choice(["", "", "1", "2", "3"]) + \
        rng.choice(["", "", "r"]) + rng.choice(["", "", "-", ".-", "+=_"]) + "}"


def domain(rng):
    roll = rng.random()
    if roll < 0.75:
        return rng.choice(NAMES)
    if roll < 0.95:
        return macro(rng) + "." + rng.choice(NAMES)
    return rng.choice(["", "test", "a..test", "%{x}.test", "a.1", "%", "a.test.", "%{d}", "A.TEST",
                       "a.test:25", "%{d0}.test", "%%.test", "nowhere.test", "%{d2}%{o}.test"])


def prefixes(rng):
    return rng.choice([""] * 8 + ["/24", "/32", "/0", "/33", "//64", "/24//48", "//129", "/", "/08"])


def term(rng):
    kind = rng.choice(["a", "mx", "ptr", "ip4", "ip6", "exists", "include", "include", "all", "odd"])
    q = rng.choice(QUALIFIERS)
    if rng.random() < 0.05:
        kind = rng.choice([kind.upper(), kind + "x"])
    low = kind.lower()
    if low in ("a", "mx"):
        return q + kind + (":" + domain(rng) if rng.random() < 0.6 else "") + prefixes(rng)
    if low == "ptr":
        return q + kind + (":" + domain(rng) if rng.random() < 0.5 else "")
    if low == "ip4":
        return q + kind + ":" + rng.choice(["192.0.2.0/25", "192.0.2.1", "198.51.100.0/24", "10.0.0.0/8",
                                            "192.0.2.0/33", "192.0.2", "0.0.0.0/0", "192.0.2.1/032"])
    if low == "ip6":
        return q + kind + ":" + rng.choice(["2001:db8::/48", "2001:db8::1", "::/0", "2001:db8::/129",
                                            "192.0.2.1", "::ffff:192.0.2.1", "2001:db8:1::25/128"])
    if low in ("exists", "include"):
        return q + kind + ":" + domain(rng)
    if low == "all":
        return q + kind
    return rng.choice(["redirect=" + domain(rng), "exp=" + domain(rng), "x=y", "moo=%{d}", "moo=%{",
                       "all.", "all:a.test", q + "redirect=a.test", "=", "a=b", "include", "ip4"])


def record(rng):
    words = [term(rng) for _ in range(rng.randint(0, 4))]
    if rng.random() < 0.7:
        words.append(rng.choice(["-all", "~all", "?all", "redirect=" + rng.choice(NAMES)]))
    gap = " " if rng.random() < 0.9 else rng.choice(["  ", "    ", "\t", " \t"])
    return rng.choice(["v=spf1 "] * 12 + ["V=SPF1 ", "v=spf1  ", "v=spf1", "v=spf1\t", "v=spf10 ", " v=spf1 "]) + \
        gap.join(words) + rng.choice([""] * 8 + [" ", "   ", "\t"])


# Why the two may differ: the reason, and which cases have it.
EXPLAINED = [[why, predicate, 0] for why, predicate in [
    ("RFC 7208 4.6.4 counts terms that lead to nothing, python3-spf the queries of one term each",
     lambda c: "Void lookup limit" in c.words),
    ("RFC 7208 4.6.4 bounds a record that includes itself by its terms, python3-spf refuses it when it "
     "parses the term, reached or not",
     lambda c: "trivial recursion" in c.words),
    ("RFC 7208 6: the value of an unknown modifier is a macro-string, and 4.6 looks at all terms first; "
     "python3-spf lets a macro without an end pass",
     lambda c: "is a modifier with a broken macro" in c.reason),
    ("RFC 7208 7.1: the number of a macro is not zero; python3-spf takes %{d0}",
     lambda c: c.ours == "permerror" and "%{d0}" in c.reason),
    ("RFC 7208 6: redirect and exp must not appear twice, of others nothing is said; python3-spf allows "
     "no modifier twice",
     lambda c: "MUST appear at most once" in c.words and "exp" not in c.words),
    ("RFC 7208 4.5, 4.6.1: terms stand behind spaces; python3-spf takes a tab for one",
     lambda c: "\t" in c.records() and c.ours in ("permerror", "none")),
    ("a host of an MX record that matches outweighs another that cannot be looked up, because answers "
     "have no order here; python3-spf asks for them one by one and gives up",
     lambda c: c.theirs == "temperror" and "mx" in c.reason.lower()),
    ("RFC 7208 5.5: a name that cannot be looked up is passed over by ptr; python3-spf gives up",
     lambda c: c.theirs == "temperror" and "ptr" in c.records()),
]]


class Case:
    def __init__(self, zone, client, helo, sender):
        self.zone, self.client, self.helo, self.sender = zone, client, helo, sender
        self.ours = self.theirs = self.words = None

    def records(self):
        return " ".join(d for (_, kind), data in self.zone.records.items() if kind == "TXT"
                        for d in data).lower()

    def ask_peer(self):
        spf.DNSLookup = self.zone.answer
        q = spf.query(i=self.client, s=self.sender, h=self.helo, strict=True)
        try:
            result, _, words = q.check()
        except Exception as e:  # the peer's own errors are its answer
            result, words = "broken", repr(e)
        self.theirs, self.words = result, words

    def ask_us(self, driver):
        for line in self.zone.lines():
            driver.stdin.write("zone %s\n" % line)
        driver.stdin.write("check %s\t%s\t%s\nclear\n" % (self.client, self.helo, self.sender))
        driver.stdin.flush()
        fields = driver.stdout.readline().rstrip("\n").split("\t")
        self.ours, self.terms, self.voids, self.reason = fields[0], int(fields[1]), int(fields[2]), fields[5]


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--messages", type=int, default=CASES_MIN)
    ap.add_argument("--tool", default=str(ROOT / "build" / "spf-tool"))
    ap.add_argument("-v", "--verbose", action="store_true")
    args = ap.parse_args()
    cases = max(args.messages, CASES_MIN)
    rng = random.Random(SEED)
    driver = subprocess.Popen([args.tool], text=True,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    same, unexplained, seen = 0, 0, {}
    for _ in range(cases):
        sender = "%s@%s" % (rng.choice(LOCALS), rng.choice(NAMES)) if rng.random() < 0.9 else ""
        case = Case(Zone(rng), rng.choice(CLIENTS), rng.choice(NAMES), sender)
        case.ask_peer()
        case.ask_us(driver)
        seen[case.ours] = seen.get(case.ours, 0) + 1
        if case.ours == case.theirs:
            same += 1
            continue
        row = next((r for r in EXPLAINED if r[1](case)), None)
        if row:
            row[2] += 1
            continue
        unexplained += 1
        if unexplained <= 20:
            print("%s %s: ours %s (%s), theirs %s (%s)" % (case.client, sender, case.ours, case.reason,
                                                          case.theirs, case.words))
            if args.verbose:
                print("\n".join("    " + x for x in case.zone.lines()))
    driver.stdin.close()
    driver.wait()
    print("spf: %d cases, %d agree, %d do not and are explained, %d are not" %
          (cases, same, cases - same - unexplained, unexplained))
    print("     " + ", ".join("%s %d" % x for x in sorted(seen.items())))
    for why, _, count in EXPLAINED:
        print("%5d %s" % (count, why))
    stale = [why for why, _, count in EXPLAINED if not count]
    for why in stale:
        print("explains nothing: " + why)
    failed = unexplained + len(stale) + (len(seen) < 7)
    print("%d passed, %d failed" % (cases - unexplained, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
