"""Runs the test_* functions of one folder's test.py, in the order they are written."""
import faulthandler
import importlib.util
import inspect
import os
import re
import sys
import time
import traceback

import check
from appliance import SANITIZED
from world import World


def load(folder):
    spec = importlib.util.spec_from_file_location("test", os.path.join(folder, "test.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


BROKEN = re.compile(r"(?m)^panic .*|.*(?:(?:ERROR|WARNING): \w+Sanitizer|runtime error:).*")


def broken_promises(folder):
    """What no test may provoke: the reports of sanitizers, and checks of our own that failed.
    -> the first line of each"""
    found = []
    for log in sorted(folder.rglob("*.log")):
        text = log.read_text(errors="replace")
        for sign in BROKEN.finditer(text):
            found.append(f"{log.name}: {sign[0]}")
            print(f"{log}:\n{text[sign.start():sign.start() + 1500]}")
    return found


def reason_of(reasons):
    """In one line, since it is repeated at the very end of a run."""
    more = f" (and {len(reasons) - 1} more)" if reasons[1:] else ""
    return " ".join(reasons[0].split())[:600] + more if reasons else "unknown"


def why(error):
    """What was raised, with what a command said that failed."""
    said = getattr(error, "stderr", None) or getattr(error, "output", None) or ""
    said = said.decode(errors="replace") if isinstance(said, bytes) else said
    return " | ".join([traceback.format_exception_only(error)[-1], *said.splitlines()[-3:]])


def is_good(step, world):
    """Runs one of the functions of a test, and tells of it when it failed."""
    begin = time.monotonic()
    before = check.failures
    check.reasons.clear()
    try:
        step(world)
    except Exception as e:  # a test that breaks is a test that failed
        traceback.print_exc(file=sys.stdout)
        check.failures += 1
        check.reasons.append(why(e))
    good = check.failures == before
    if not good:
        print("\n".join(world.states()))
    if not good or step.__name__.startswith("test_"):
        print(f"{'ok  ' if good else 'FAIL'} {step.__name__} {time.monotonic() - begin:.2f} s"
              f"{'' if good else ': ' + reason_of(check.reasons)}", flush=True)
    return good


def main():
    # Who is cut off for its time says where it was.
    faulthandler.dump_traceback_later(int(os.environ["SYSTEM_TEST_LIMIT_S"]) - 2, file=sys.stdout)
    module = load(sys.argv[1])
    if SANITIZED and hasattr(module, "NOT_SANITIZED"):
        print(f"left out: {module.NOT_SANITIZED}\n0 passed, 0 failed")
        return 0
    tests = [f for n, f in vars(module).items() if n.startswith("test_") and callable(f)]
    tests.sort(key=lambda f: inspect.getsourcelines(f)[1])
    passed = failed = 0
    with World() as world:
        if hasattr(module, "setup") and not is_good(module.setup, world):
            failed, tests = 1, []
        for test in tests:
            good = is_good(test, world)
            passed, failed = passed + good, failed + (not good)
    broken = broken_promises(world.out)
    if broken:
        print(f"FAIL the appliance broke a promise to itself: {reason_of(broken)}")
        failed += 1
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
