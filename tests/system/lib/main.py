"""Runs the test_* functions of one folder's test.py, in the order they are written."""
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


def broken_promises(folder):
    """What no test may provoke: the reports of sanitizers, and checks of our own that failed."""
    found = 0
    for log in sorted(folder.rglob("*.log")):
        text = log.read_text(errors="replace")
        for sign in re.finditer(r"(?m)^panic .*|.*(?:ERROR: AddressSanitizer|runtime error:).*",
                                text):
            found += 1
            print(f"{log}:\n{text[sign.start():sign.start() + 1500]}")
    return found


def main():
    module = load(sys.argv[1])
    if SANITIZED and hasattr(module, "NOT_SANITIZED"):
        print(f"left out: {module.NOT_SANITIZED}\n0 passed, 0 failed")
        return 0
    tests = [f for n, f in vars(module).items() if n.startswith("test_") and callable(f)]
    tests.sort(key=lambda f: inspect.getsourcelines(f)[1])
    passed = failed = 0
    with World() as world:
        if hasattr(module, "setup"):
            module.setup(world)
        for test in tests:
            begin = time.monotonic()
            before = check.failures
            try:
                test(world)
            except Exception:  # a test that breaks is a test that failed
                traceback.print_exc(file=sys.stdout)
                check.failures += 1
            good = check.failures == before
            passed, failed = passed + good, failed + (not good)
            print(f"{'ok  ' if good else 'FAIL'} {test.__name__} {time.monotonic() - begin:.2f} s",
                  flush=True)
    if broken_promises(world.out):
        print("FAIL the appliance broke a promise to itself")
        failed += 1
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
