"""Rules that hold documents against code. Each yields (path, line, what is wrong)."""

import fnmatch
import os
import re

from tables import CLIPPED, README_LINES_MAX
from tree import folder

CITATION = re.compile(r"\bRFCs?[-_ ]?(?!822)(\d+)")  # RFC822 is a FETCH item and a media type


def readmes(tree):
    """Each folder under daemon/ says in a README.md what it is for."""
    folders = {folder(f.path) for f in tree.c_files("daemon")} - {"main"}
    for name in sorted(folders):
        path = f"daemon/{name}/README.md"
        if path not in tree.files:
            yield path, 1, "is missing"
        elif len(tree.files[path].lines) - 1 > README_LINES_MAX:
            yield path, 1, f"more than {README_LINES_MAX} lines"


def modules(tree):
    """Each module of a folder stands in its README.md, by name or as one of `prefix_*`."""
    for f in tree.c_files("daemon", "api"):
        name = os.path.basename(f.path).partition(".")[0]
        readme = tree.files.get(os.path.dirname(f.path) + "/README.md")
        if name.endswith("_priv") or not readme or folder(f.path) == "main":
            continue
        words = re.findall(r"[a-z0-9_*]+", readme.text)
        if not any(fnmatch.fnmatchcase(name, w) for w in words if w.strip("*")):
            yield f.path, 1, f"{readme.path} says nothing of {name}"


def rfc_table(tree):
    """tests/lint/rfc.tsv: number -> (status, title)."""
    rows = {}
    table = tree.files.get("tests/lint/rfc.tsv")
    for line in table.lines if table else []:
        if line and not line.startswith("#"):
            number, status, title = line.split("\t")
            rows[int(number)] = (status, title)
    return rows


def citations(tree):
    """RFCs are cited as "RFC 5321 4.1.1.3" and stand in rfc.tsv."""
    rows = rfc_table(tree)
    seen = list(rows)
    if seen != sorted(set(seen)):
        yield "tests/lint/rfc.tsv", 1, "is not in order"
    for f in tree.under("daemon", "api", "tests", "webui", "etc", "packaging"):
        if f.path.startswith("tests/lint/") or not f.path.endswith(
                (".c", ".h", ".def", ".md", ".py", ".yaml", ".ts", ".tsx", ".dlg", ".sh")):
            continue
        for n, line in enumerate(f.lines, 1):
            yield from cited(f, n, line, rows)


def cited(f, n, line, rows):
    for m in CITATION.finditer(line):
        number = int(m[1])
        if number not in rows:
            yield f.path, n, f"RFC {number} is not in tests/lint/rfc.tsv"
        elif rows[number][0].startswith("obsolete"):
            yield f.path, n, f"RFC {number} is {rows[number][0]}"
        after = line[m.end():]
        if f.is_c and not m.group().startswith("RFC "):
            yield f.path, n, f'"{m.group()}": write "RFC {number}"'
        elif re.match(r",? \(?(section|sec\b|§|chapter)", after, re.I):
            yield f.path, n, f'write "RFC {number} SECTION", without a word between'


def events(tree):
    """Each event of trace.def is told somewhere; its text names fields somebody sets."""
    table = tree.files.get("daemon/base/trace.def")
    if not table:
        return
    code = [f for f in tree.c_files("daemon", "api") if f is not table]
    used, keys = set(), set()
    for f in code:
        used.update(re.findall(r"\bEV_([A-Z0-9_]+)\b", f.code))
        # The key stands in quotes: look at the text, not at the blanked code.
        keys.update(re.findall(r'\bevent\w*\([^;"]*"(\w+)"', f.text))
        keys.update(k for _, s in f.strings for k in re.findall(r"^(\w+)$", s))
    row = re.compile(r'^EVENT\((\w+),\s*"([\w.]+)",\s*\w+,\s*"(.*)"\)')
    names = set()
    for n, line in enumerate(table.lines, 1):
        m = row.match(line)
        if not m:
            continue
        if m[2] in names:
            yield table.path, n, f"{m[2]} stands here twice"
        names.add(m[2])
        if m[1] not in used:
            yield table.path, n, f"{m[2]} is never told"
        for field in re.findall(r"\{(\w+)\}", m[3]):
            if field not in keys:
                yield table.path, n, f"{m[2]}: nobody sets {{{field}}}"


# Events that change what a page of the dashboard shows.
SHOWN = re.compile(r'EVENT\(\w+,\s*"((?:message|queue|auth|admin|dns|dkim|report|tls\.policy)\.[\w.]+)",'
                   r'\s*(?!debug|\s)')


def heard(tree):
    """The dashboard listens to each event that changes what it shows."""
    table, live = tree.files.get("daemon/base/trace.def"), tree.files.get("webui/src/lib/live.ts")
    if not table or not live:
        return
    names = re.findall(r'"([^"]+)"', live.text.partition("EVENTS = [")[2].partition("]")[0])
    for line in table.lines:
        m = SHOWN.match(line)
        if m and m[1] not in names:
            yield live.path, 1, f"{m[1]} is not among EVENTS"


def keys(tree):
    """Each key and limit of the configuration is explained, and the example names each key."""
    example = tree.files.get("etc/mailstead.yaml")
    for path, macro in (("daemon/conf/keys.def", "KEY"), ("daemon/conf/limits.def", "LIMIT")):
        table = tree.files.get(path)
        for n, line in enumerate(table.lines if table else [], 1):
            m = re.match(rf'{macro}\("?([\w.]+)"?,.*"([^"]*)"\)$', line)
            if line.startswith(f"{macro}(") and (not m or len(m[2]) < 10 or m[2][-1] != "."):
                yield path, n, "a key without help in whole sentences"
            elif m and macro == "KEY" and example:
                word = m[1].split(".")[0]
                if not re.search(rf"^#? ?{word}:", example.text, re.M):
                    yield path, n, f"etc/mailstead.yaml says nothing of {word}"


def abbreviations(tree):
    """A shortened word in a name of a header stands in the list of daemon/README.md."""
    readme = tree.files.get("daemon/README.md")
    if not readme:
        yield "daemon/README.md", 1, "is missing"
        return
    allowed = set(re.findall(r"`([a-z]+)`", readme.text.partition("\n## Abbreviations\n")[2]))
    for f in tree.c_files("daemon", "api"):
        if not f.path.endswith(".h"):
            continue
        for n, line in enumerate(f.code.split("\n"), 1):
            if line.lstrip().startswith("#"):
                continue
            for name in re.findall(r"\b[a-z][a-z0-9_]+\b", line):
                for part in re.sub(r"\d", "", name).split("_"):
                    word = part if part in CLIPPED else part.removesuffix("s")
                    is_short = word in CLIPPED or not re.search("[aeiouy]", part)
                    if len(part) > 1 and is_short and not {part, word} & allowed:
                        yield f.path, n, f"{name}: {part} is not in the list of daemon/README.md"


def top(tree):
    """The top level is what architecture says, and nothing else."""
    allowed = {"daemon", "api", "webui", "etc", "packaging", "tests", "Makefile", "README.md",
               "LICENSE", "build"}
    for name in sorted(os.listdir(tree.root)):
        if not name.startswith(".") and name not in allowed:
            yield name, 1, "does not belong at the top level"


RULES = (readmes, modules, citations, events, heard, keys, abbreviations, top)
