"""Next hops that misbehave in fourteen ways: memory stays, mail is kept, and honest mail
goes out meanwhile."""
import pathlib
import re
import time

import check
from appliance import FREES_SOON
from hostile import BEHAVIOURS, Hostile
from world import message

ANN = "ann@home.example"
MAILS_EACH = 3


def setup(world):
    world.names()
    world.postfix()
    world.hostile = world.start(Hostile())
    rows = "".join(f"b{n} IN MX 10 h{n}\nh{n} IN A {world.hostile.address(n)}\n"
                   for n in range(len(BEHAVIOURS)))
    world.dns.change("odd.example", rows)
    world.appliance(retry="2s 3s", lifetime="1h", env=FREES_SOON,
                    more="limits: {delivery_reply_timeout: 4s, delivery_data_timeout: 4s, "
                         "delivery_connect_timeout: 3s}\n")


def memory_kib(world):
    pid = world.home.workers()["queue"][0]
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"(?m)^Pss: +(\d+) kB", text)[1])


def submit(world, rcpts, subject, body="Hello\n"):
    with world.home.submission(ANN) as s:
        s.sendmail(ANN, rcpts, message(ANN, rcpts[0], subject, body))


def handed_over(world):
    """How many messages Postfix has taken from us; what it does with them is its own pace."""
    return len(re.findall(r"message\.delivered .*rcpt=pat@peer\.example ", world.home.log()))


def test_hostile_hops_cost_little_and_delay_nobody(world):
    submit(world, ["pat@peer.example"], "before")
    check.until(lambda: handed_over(world) == 1, "the honest way works")
    at_rest = memory_kib(world)
    for n in range(len(BEHAVIOURS)):
        for k in range(MAILS_EACH):
            # One of them is large, for the hop that never reads.
            submit(world, [f"x@b{n}.odd.example"], f"for {n} number {k}",
                   "0123456789\n" * (200_000 if k == 0 else 1))
    most = 0
    for k in range(5):
        begin = time.monotonic()
        submit(world, ["pat@peer.example"], f"meanwhile {k}")
        check.until(lambda k=k: handed_over(world) == k + 2,
                    f"honest mail {k} while the others hang", 40)
        print(f"  honest mail out after {time.monotonic() - begin:.2f} s")
        end = time.monotonic() + 2
        while time.monotonic() < end:
            most = max(most, memory_kib(world))
            time.sleep(0.05)
    print(f"  memory at rest {at_rest} KiB, at most {most} KiB")
    check.true(most < at_rest + 64 * 1024, f"memory flat: {at_rest} KiB, then {most} KiB")
    check.equal(len(world.home.workers()["queue"]), 1, "one queue process")
    check.true("panic" not in world.home.log(), "no panic in the log")


def test_nothing_was_lost(world):
    waiting = {i["to"] for i in world.home.json("queue", "list")["items"]}
    for n, behaviour in enumerate(BEHAVIOURS):
        # That one has taken some of them: it says yes to the text as well, then closes.
        if behaviour.__name__ != "close_after_each_step":
            check.true(f"x@b{n}.odd.example" in waiting, f"{behaviour.__name__}: still queued")
    world.hostile.is_good = True
    wanted = {f"for {n} number {k}" for n in range(len(BEHAVIOURS)) for k in range(MAILS_EACH)
              if BEHAVIOURS[n].__name__ != "close_after_each_step"}

    def missing():
        # Of the large ones not all is looked through: the hops live in this process as well.
        heads = b"".join(m[:8192] for m in world.hostile.kept)
        return {s for s in wanted if f"Subject: {s}\r\n".encode() not in heads}
    check.until(lambda: not missing(), "all delivered once the hops behave", pause=0.5)
    check.equal(missing(), set(), "missing")


def test_every_refusal_has_a_reason(world):
    log = world.home.log()
    reasons = re.findall(r"message\.deferred .*?class=(\S+)", log)
    check.true(len(reasons) >= len(BEHAVIOURS), f"{len(reasons)} deferrals were told")
    check.equal([r for r in reasons if not r.strip('"')], [], "each with its class")
