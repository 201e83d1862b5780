"""Checks that print both values and go on; main.py counts `failures` and tells the first
of `reasons`."""
import time

failures = 0
reasons = []


def fail(what):
    global failures
    failures += 1
    reasons.append(str(what))
    print(f"  check failed: {what}", flush=True)
    return False


def equal(got, want, what):
    return True if got == want else fail(f"{what}: got {got!r}, want {want!r}")


def true(held, what):
    return True if held else fail(what)


def contains(text, part, what):
    return True if part in text else fail(f"{what}: {part!r} is not in {text!r}")


def until(question, what, seconds=90.0, pause=0.05):
    """Asks until the answer is true; returns it. A bounded wait, not a sleep. What takes long to
    ask is not asked half of the time: others need the processor for the answer."""
    end = time.monotonic() + seconds
    while True:
        begin = time.monotonic()
        answer = question()
        if answer:
            return answer
        if time.monotonic() > end:
            fail(f"{what}: not within {seconds:g} s")
            return answer
        time.sleep(max(pause, min(1, time.monotonic() - begin)))
