"""A clock that jumps by days while everything runs: nothing expires, nothing storms."""
import email.utils
import re
import time

import check
from appliance import SANITIZER
from days import DAY_S, LIBRARY, set_clock
from world import message

ANN, PEER = "ann@home.example", "pat@peer.example"


def setup(world):
    world.names()
    # Where each of them may read after its door is closed; segments have numbers.
    world.clock = world.out / "home/data/blobs/clock"
    # Monotonic time stays: a clock that is set moves the other one only.
    world.appliance(retry="3s 6s 6s", lifetime="5d", plaintext='["127.0.0.0/8"]',
                    env={"LD_PRELOAD": " ".join([*SANITIZER, str(LIBRARY[0])]), "FAKETIME_NO_CACHE": "1",
                         "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                         "FAKETIME_TIMESTAMP_FILE": str(world.clock)})


def jump(world, seconds):
    """Sets the clock of all processes, `seconds` from the real one."""
    set_clock(world.clock, seconds)
    time.sleep(0.2)


def waiting(world):
    return [i for i in world.home.json("queue", "list")["items"] if i["to"] == PEER]


def tries(world):
    return sum(i.get("attempts", 0) for i in waiting(world))


def bounces(world):
    return [m for _, m in world.home.inbox(ANN) if b"Action: failed" in m]


def submit(world, subject):
    with world.home.submission(ANN) as s:
        s.sendmail(ANN, [PEER], message(ANN, PEER, subject))


def calm(world, what, seconds=8):
    """The mail waits on, tried at its pace: a pause of 3 or 6 s, never less."""
    begin = time.monotonic()
    rows, before = len(waiting(world)), tries(world)
    time.sleep(seconds)
    check.equal(len(waiting(world)), rows, f"{what}: rows in the queue")
    made = tries(world) - before
    passed = time.monotonic() - begin
    check.true(made <= rows * (1 + passed // 3), f"{what}: {made} tries of {rows} rows in {passed:.0f} s")
    check.equal(bounces(world), [], f"{what}: nothing was given up")
    with world.home.smtp() as s:
        s.sendmail(PEER, [ANN], message(PEER, ANN, f"during {what}"))
    check.until(lambda: world.home.find(ANN, f"Subject: during {what}"), f"{what}: mail arrives")


def uidvalidity(world, name):
    m = world.home.imap(ANN)
    m.create(name)
    _, data = m.status(name, "(UIDVALIDITY)")
    m.logout()
    return int(re.search(rb"UIDVALIDITY (\d+)", data[0]).group(1))


def received_at(world, subject):
    """Days from now to the time in our Received field."""
    found = world.home.find(ANN, f"Subject: {subject}")
    text = found[0].split(b"\r\n\r\n")[0].replace(b"\r\n\t", b" ").replace(b"\r\n ", b" ")
    field = re.search(rb"(?m)^Received: .*;\s*(.*?)\r?$", text).group(1).decode()
    return (email.utils.parsedate_to_datetime(field).timestamp() - time.time()) / DAY_S


def test_a_jump_of_days_expires_nothing(world):
    for n in range(3):
        submit(world, f"waits {n}")
    check.until(lambda: tries(world) >= 3, "each was tried")
    world.first = uidvalidity(world, "before")
    jump(world, 10 * DAY_S)
    calm(world, "ten days ahead")
    days = received_at(world, "during ten days ahead")
    check.true(9.9 < days < 10.1, f"the processes believe the clock: {days:.2f} days ahead")
    world.second = uidvalidity(world, "ahead")


def test_a_jump_back_stops_nothing(world):
    jump(world, -DAY_S)
    calm(world, "a day back")
    days = received_at(world, "during a day back")
    check.true(-1.1 < days < -0.9, f"the processes believe the clock: {days:.2f} days ahead")
    third = uidvalidity(world, "back")
    check.true(world.first < world.second < third,
               f"UIDVALIDITY grows: {world.first}, {world.second}, {third}")


def test_then_all_arrives_once(world):
    world.postfix()
    for n in range(3):
        check.until(lambda n=n: world.peer.find(f"Subject: waits {n}"), f"message {n}")
    check.until(lambda: not waiting(world), "the queue is empty")
    for n in range(3):
        check.equal(len(world.peer.find(f"Subject: waits {n}")), 1, f"message {n}")
    check.equal(bounces(world), [], "no bounce")


def test_processes_that_start_before_the_clock_is_set(world):
    """1970, as after a boot without a battery: they start, take mail and keep it."""
    home = world.home
    home.stop()
    jump(world, -int(time.time()) + 3600)
    home.start()
    calm(world, "in 1970", 4)
    jump(world, 0)
    calm(world, "set right")


def test_a_clock_that_was_ahead_delays_nothing(world):
    """Tried ten days ahead, then started again by the right clock: the pause is what counts."""
    home, to = world.home, "x@down.odd.example"

    def attempts():
        return sum(i["attempts"] for i in home.json("queue", "list")["items"] if i["to"] == to)

    home.stop()
    jump(world, 10 * DAY_S)
    home.start()
    with home.submission(ANN) as s:
        s.sendmail(ANN, [to], message(ANN, to, "tried in the future"))
    check.until(lambda: attempts() >= 1, "a try ahead")
    home.stop()
    jump(world, 0)
    home.start()
    before = attempts()
    check.until(lambda: attempts() > before, "tried again within its pause")
