"""Runs the test_* functions of one folder's test.py, in the order they are written."""
import importlib.util
import inspect
import os
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
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
