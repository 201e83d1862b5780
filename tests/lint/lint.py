"""Runs the lints: lint.py [--quick] [RULE...].

Each rule counts as one test; what it finds is printed as file:line: rule: words. The last
line is "N passed, N failed"."""

import os
import sys
import time

import code_rules
import doc_rules
import tools
from tree import Tree


def run(tree, rules):
    failed = 0
    for rule in rules:
        began = time.monotonic()
        found = sorted(set(rule(tree)))
        for path, line, words in found:
            print(f"{path}:{line}: {rule.__name__}: {words}")
        failed += bool(found)
        print(f"{'FAIL' if found else 'ok  '} {rule.__name__}: {rule.__doc__.splitlines()[0]}"
              f" ({time.monotonic() - began:.1f} s)", flush=True)
    return failed


def main(arguments):
    names = [a for a in arguments if not a.startswith("-")]
    rules = [*code_rules.RULES, *doc_rules.RULES, *tools.QUICK]
    if "--quick" not in arguments:
        rules += tools.SLOW
    if names:
        rules = [r for r in rules if r.__name__ in names]
    tree = Tree(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    failed = run(tree, rules)
    print(f"{len(rules) - failed} passed, {failed} failed")
    return 1 if failed or not rules else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
