"""Runs the rows of one group; each ends with a line `ROW name|ok or FAIL|seconds|figure`."""
import importlib
import sys
import time
import traceback

import check
import rig
from world import World


def main():
    group, wanted = sys.argv[1], sys.argv[2:]
    module = importlib.import_module(group)
    rows = [r for r in rig.ROWS if r[2].__module__ == group and (not wanted or r[0] in wanted)]
    with World() as world:
        if hasattr(module, "setup"):
            module.setup(world)
        for name, what, function in rows:
            before, begin = check.failures, time.monotonic()
            try:
                figure = function(world)
            except Exception:  # an attack that breaks is one that was not withstood
                traceback.print_exc(file=sys.stdout)
                check.fail(f"{function.__name__} broke")
                figure = "broke"
            verdict = "ok" if check.failures == before else "FAIL"
            print(f"ROW {name}|{verdict}|{time.monotonic() - begin:.1f}|{what}|{figure or 'held'}",
                  flush=True)


main()
