"""Checks that print both values and go on; main.py counts `failures`."""
import time

failures = 0


def fail(what):
    global failures
    failures += 1
    print(f"  check failed: {what}", flush=True)
    return False


def equal(got, want, what):
    return True if got == want else fail(f"{what}: got {got!r}, want {want!r}")


def true(held, what):
    return True if held else fail(what)


def contains(text, part, what):
    return True if part in text else fail(f"{what}: {part!r} is not in {text!r}")


def until(question, what, seconds=40.0, pause=0.05):
    """Asks until the answer is true; returns it. A bounded wait, not a sleep."""
    end = time.monotonic() + seconds
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > end:
            fail(f"{what}: not within {seconds:g} s")
            return answer
        time.sleep(pause)
