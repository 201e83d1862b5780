#!/usr/bin/env python3
"""DMARC beside libopendmarc: generated records, names and verdicts through both.

libopendmarc follows the DMARC of 2015, ours RFC 9989: what that changed is a rule below, and a
case may only differ where a rule says so. The records are found for libopendmarc as it was
then: at the domain of From, else at its organisational domain by the list of suffixes.
Last line: "N passed, N failed"."""
import argparse
import collections
import ctypes
import os
import random
import re
import subprocess
import sys
import tempfile

TOOL = os.path.join(os.environ.get("BUILD", "build"), "dmarc-tool")
SUFFIXES = ("com", "co.uk", "example")
NAMES = ("xn--bcher-kva.com", "news.xn--bcher-kva.com", "shop.com", "mail.shop.com", "a.mail.shop.com", "other.com", "x.other.com", "bank.co.uk",
         "www.bank.co.uk", "deep.er.www.bank.co.uk", "SHOP.com", "badshop.com", "thing.example",
         "a.b.c.d.e.f.g.h.thing.example")
POLICIES = ("none", "quarantine", "reject")
ABSENT, PASS, REJECT, QUARANTINE, NONE = 14, 15, 16, 17, 18
WORDS = {PASS: "pass", REJECT: "reject", QUARANTINE: "quarantine", NONE: "none"}


def organisation(name):
    """As it was in 2015, over SUFFIXES."""
    name = name.lower()
    for suffix in sorted(SUFFIXES, key=len, reverse=True):
        if name.endswith("." + suffix):
            return name[:-len(suffix) - 1].split(".")[-1] + "." + suffix
    return name


class Opendmarc:
    OK, SPF_MAILFROM = 0, 1

    def __init__(self):
        self.lib = ctypes.CDLL("libopendmarc.so.2")
        self.lib.opendmarc_policy_connect_init.restype = ctypes.c_void_p
        for name in ("opendmarc_policy_store_from_domain", "opendmarc_policy_store_dmarc",
                     "opendmarc_policy_store_spf", "opendmarc_policy_store_dkim",
                     "opendmarc_get_policy_to_enforce", "opendmarc_policy_fetch_alignment",
                     "opendmarc_policy_connect_shutdown"):
            getattr(self.lib, name).argtypes = None
        with tempfile.NamedTemporaryFile("w", suffix=".dat") as f:
            f.write("".join(s + "\n" for s in SUFFIXES))
            f.flush()
            read = self.lib.opendmarc_tld_read_file(f.name.encode(), b"//", b"*.", b"!")
        if read != 0:
            raise SystemExit("libopendmarc does not read the list of suffixes")

    def judge(self, case):
        """(word of the policy, aligned SPF, aligned DKIM); None: the record is refused."""
        lib = self.lib
        context = ctypes.c_void_p(lib.opendmarc_policy_connect_init(b"192.0.2.1", 4))
        try:
            lib.opendmarc_policy_store_from_domain(context, case.sender.encode())
            if case.spf != "none":
                lib.opendmarc_policy_store_spf(context, case.spf_domain.encode(),
                                               {"pass": 1, "fail": 2, "temperror": 3}[case.spf],
                                               self.SPF_MAILFROM, None)
            if case.dkim != "none":
                lib.opendmarc_policy_store_dkim(context, case.dkim_domain.encode(), b"s",
                                                {"pass": 1, "fail": 2, "temperror": 3}[case.dkim], None)
            record, above = case.old_record()
            if record is None:
                return "absent", False, False
            status = lib.opendmarc_policy_store_dmarc(context, record.encode(), case.sender.encode(),
                                                      above.encode() if above else None)
            if status != self.OK:
                return None
            policy = lib.opendmarc_get_policy_to_enforce(context)
            dkim, spf = ctypes.c_int(), ctypes.c_int()
            lib.opendmarc_policy_fetch_alignment(context, ctypes.byref(dkim), ctypes.byref(spf))
            return WORDS.get(policy, str(policy)), spf.value == 4, dkim.value == 4
        finally:
            lib.opendmarc_policy_connect_shutdown(context)


class Case:
    def __init__(self, rng):
        self.sender, self.spf_domain, self.dkim_domain = (rng.choice(NAMES) for _ in range(3))
        if rng.random() < 0.5:
            self.spf_domain = rng.choice([n for n in NAMES if organisation(n) == organisation(self.sender)])
        self.spf = rng.choices(("none", "pass", "fail", "temperror"), (2, 5, 3, 1))[0]
        self.dkim = rng.choices(("none", "pass", "fail", "temperror"), (2, 5, 3, 1))[0]
        self.zone = []
        for name in sorted({n.lower() for n in (self.sender, organisation(self.sender), self.spf_domain,
                                                 self.dkim_domain)}):
            if rng.random() < (0.8 if name == organisation(self.sender) else 0.3):
                self.zone.append((name, record(rng)))
        if rng.random() < 0.1:
            self.zone.append((rng.choice(SUFFIXES), record(rng)))
        if rng.random() < 0.5:
            self.zone.append((self.sender.lower(), None))  # it exists, without a record

    def records(self, name):
        return [t for n, t in self.zone if n == name.lower() and t and re.match(r"v\s*=\s*DMARC1\s*(;|$)", t)]

    def old_record(self):
        """As it was in 2015: (record, organisational domain where it was found there)."""
        org = organisation(self.sender)
        for name, above in ((self.sender, None), (org, org)):
            found = self.records(name)
            if len(found) == 1:
                return found[0], above
        return None, None

    def line(self):
        pairs = ["%s%s=%s" % ("_dmarc." if t else "", n, t or "here") for n, t in self.zone]
        return "\t".join([self.sender, self.spf, self.spf_domain, self.dkim, self.dkim_domain] + pairs)


def record(rng):
    tags = []
    if rng.random() < 0.95:
        tags.append("p=" + rng.choice(POLICIES))
    for chance, tag, values in ((0.3, "sp", POLICIES), (0.15, "np", POLICIES), (0.3, "adkim", "rs"), (0.3, "aspf", "rs"),
                                (0.1, "t", "yn"), (0.1, "pct", ("0", "50", "100")), (0.1, "psd", "ynu"),
                                (0.2, "rua", ("mailto:a@shop.com", "mailto:a@b.example,mailto:c@d.example!10m")),
                                (0.1, "fo", ("0", "1", "d:s")), (0.05, "x", ("1",)),
                                (0.03, "adkim", ("z",)), (0.03, "sp", ("never",))):
        if rng.random() < chance and (rng.random() < 0.02 or not any(t.startswith(tag + "=") for t in tags)):
            tags.append(tag + "=" + rng.choice(values))
    rest = tags[1:]
    rng.shuffle(rest)
    return rng.choice(("v=DMARC1; ", "v=DMARC1;", "v = DMARC1 ; ")) + rng.choice(("; ", ";", " ;")).join(tags[:1] + rest) \
        + rng.choice(("", ";", " "))


# --- what RFC 9989 changed -----------------------------------------------------------------------

def tags(text):
    return dict((k.strip(), v.strip()) for k, _, v in (t.partition("=") for t in text.split(";")))


def every(case):
    return [tags(t) for _, t in case.zone if t]


RULES = (
    ("4.10 the tree walk finds another organisation than the list of suffixes",
     lambda c: any(len(c.records(n)) for n in walk(c) if n != organisation(c.sender) and n != c.sender.lower())
     or any("psd" in t and t["psd"] != "u" for t in every(c)) or not c.records(organisation(c.sender))),
    ("4.7 np: a policy for domains that do not exist", lambda c: any("np" in t for t in every(c))),
    ("4.7 t=y, and pct=0 which was its ancestor: one step milder",
     lambda c: any(t.get("t") == "y" or t.get("pct") == "0" for t in every(c))),
    ("4.8 wrong values are passed over, 4.10.1 without a good p: none where reports are asked for",
     lambda c: any(t.get("p") not in POLICIES or t.get("sp", "none") not in POLICIES or t.get("adkim", "r") not in "rs"
                   for t in every(c))),
    ("4.4.1, 4.4.2 strict is the same name; libopendmarc takes names above and below as well",
     lambda c: any(t.get("adkim") == "s" or t.get("aspf") == "s" for t in every(c))
     and any(("." + a.lower()).endswith("." + b.lower()) for d in (c.spf_domain, c.dkim_domain)
             for a, b in ((d, c.sender), (c.sender, d)) if a.lower() != b.lower())),
    ("5.3.6 what could not be asked is neither pass nor fail",
     lambda c: "temperror" in (c.spf, c.dkim)),
)


def walk(case):
    names = []
    for start in (case.sender, case.spf_domain, case.dkim_domain):
        labels = start.lower().split(".")
        names += [".".join(labels[i:]) for i in range(len(labels))]
    return names


def ours_of(line):
    result, policy, _, spf, dkim = line.rstrip("\n").split("\t")
    word = {"pass": "pass", "fail": policy, "none": "absent"}.get(result, result)
    return word, spf == "spf", dkim == "dkim"


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--messages", type=int, default=3000)
    count = options.parse_args().messages
    rng, peer = random.Random(9989), Opendmarc()
    cases = [Case(rng) for _ in range(count)]
    done = subprocess.run([TOOL], input="".join(c.line() + "\n" for c in cases), capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    if len(lines) != count:
        raise SystemExit("%d verdicts for %d cases" % (len(lines), count))
    equal, failed, by_rule = 0, 0, collections.Counter()
    for case, line in zip(cases, lines):
        theirs, ours = peer.judge(case), ours_of(line)
        if theirs == ours:
            equal += 1
            continue
        rule = next((name for name, holds in RULES if holds(case)), None)
        if rule:
            by_rule[rule] += 1
        else:
            failed += 1
            print("%s\n  ours %s, theirs %s" % (case.line(), ours, theirs))
    print("DMARC: %d equal, %d differ by a rule:" % (equal, sum(by_rule.values())))
    for rule, n in by_rule.most_common():
        print("  %5d  RFC 9989 %s" % (n, rule))
    print("%d passed, %d failed" % (count - failed, failed))
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
