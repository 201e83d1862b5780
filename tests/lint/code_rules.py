"""Rules about C sources. Each yields (path, line, what is wrong)."""

import re

from tables import (BANNED, COLUMNS, FILE_LINES_MAX, HEAP, HEAP_FILES, IMPURE_FILES, IMPURE_HEADERS,
                    INVISIBLE, LEVELS, LIBRARIES, PEER_FOLDERS, PURE, SIDEWAYS, SYSTEM_HEADERS)
from tree import folder

SQL = re.compile(r"\b(SELECT\b.+\bFROM|INSERT\s+(OR\s+\w+\s+)?INTO|UPDATE\s+\w+\s+SET|"
                 r"DELETE\s+FROM|CREATE\s+(TABLE|INDEX)|PRAGMA\s+\w+)\b")


def layers(tree):
    """An include goes down a level or stays in its folder."""
    for f in tree.c_files("daemon", "api"):
        here = folder(f.path)
        if here not in LEVELS:
            yield f.path, 1, f"folder {here} has no level"
            continue
        for line, name, is_ours in f.includes():
            there = name.split("/")[0]
            if not is_ours or there == here:
                continue
            if "/" not in name:
                yield f.path, line, f'"{name}": include with the folder'
            elif there not in LEVELS:
                yield f.path, line, f'"{name}": folder {there} has no level'
            elif LEVELS[there] >= LEVELS[here] and (here, there) not in SIDEWAYS:
                yield f.path, line, f'"{name}": {here} may not look up at {there}'
            elif name.endswith("_priv.h"):
                yield f.path, line, f'"{name}" is private to {there}/'


def pure(tree):
    """Session cores, mail and policy know no socket, clock or resolver."""
    for f in tree.c_files("daemon"):
        if folder(f.path) not in PURE or re.search(IMPURE_FILES, f.path):
            continue
        for line, name, _ in f.includes():
            if re.search(IMPURE_HEADERS, name):
                yield f.path, line, f"{name}: this code is pure; ask through ops or arguments"


def libraries(tree):
    """One third-party library, one file; its types in no header."""
    users = {}
    for f in tree.c_files():
        for line, name, is_ours in f.includes():
            if is_ours or re.search(SYSTEM_HEADERS, name):
                continue
            row = next((r for r in LIBRARIES if re.search(r, name)), None)
            if row is None:
                yield f.path, line, f"<{name}>: a library the table does not know"
            elif LIBRARIES[row]:
                if not re.search(LIBRARIES[row], f.path):
                    yield f.path, line, f"<{name}> belongs to {LIBRARIES[row]}"
            elif f.path.endswith(".h"):
                yield f.path, line, f"<{name}>: a library's type in our header"
            elif not f.path.startswith("tests/"):
                users.setdefault(row, {}).setdefault(f.path, (line, name))
    for files in users.values():
        for path in sorted(files)[1:]:
            line, name = files[path]
            yield path, line, f"<{name}> is wrapped by {sorted(files)[0]} already"


def bans(tree):
    """Functions that nobody calls."""
    for f in tree.c_files():
        for names, instead in BANNED.items():
            for line, m in f.find(rf"(?<![\w.>])({names})\s*\("):
                yield f.path, line, f"{m[1]}: {instead}"
        if not re.search(HEAP_FILES, f.path):
            for line, m in f.find(rf"(?<![\w.>])({HEAP})\s*\("):
                yield f.path, line, f"{m[1]}: memory comes from an arena or a heap strbuf"
        if folder(f.path) in PEER_FOLDERS and f.path.startswith("daemon/"):
            for line, m in f.find(r"(?<![\w.>])(strlen|strn?cmp|strn?casecmp|strstr)\s*\("):
                yield f.path, line, f"{m[1]}: bytes of a peer have a length; use struct str"


def peer_arrays(tree):
    """A char array in a protocol folder is the bounded memory of a strbuf."""
    for f in tree.c_files("daemon"):
        if folder(f.path) not in PEER_FOLDERS or not f.path.endswith(".c"):
            continue
        for line, m in f.find(r"^[ \t]+char ((?:\w+\[[^\]]*\](?:, )?)+);"):
            for name in re.findall(r"(\w+)\[", m[1]):
                if not re.search(rf"strbuf_(on|fixed)\(\(?(\w+(->|\.))?{name}\b|"
                                 rf"addr_ip_text\([^;]*&{name}\b", f.code):
                    yield f.path, line, f"char {name}[]: put a strbuf over it"


def sql(tree):
    """SQL stands in store/ alone, in whole statements."""
    for f in tree.c_files("daemon", "api"):
        for line, text in f.strings:
            if not SQL.search(text):
                continue
            if folder(f.path) != "store":
                yield f.path, line, "SQL outside store/"
            elif re.search(r"%[\w.*-]", text.replace("%%", "")) and "PRAGMA" not in text:
                yield f.path, line, "SQL is bound, never printed into"


def shape(tree):
    """Length, own header first, include guards, typedefs, comments."""
    for f in tree.c_files():
        if len(f.lines) - 1 > FILE_LINES_MAX:
            yield f.path, 1, f"{len(f.lines) - 1} lines; the limit is {FILE_LINES_MAX}"
        for line, text in enumerate(f.lines, 1):
            if text != text.rstrip():
                yield f.path, line, "space at the end of the line"
        for line, _ in f.find(INVISIBLE, f.text):
            yield f.path, line, "an invisible character"
        for line, _ in f.find(r"^typedef\s+[^;(]*[;{]"):
            yield f.path, line, "typedef only function types"
        for line, text in f.comments:
            yield from comment(f, line, text)
        if f.path.startswith(("daemon/", "api/")):
            yield from own_header(tree, f)


def in_table(f, line):
    """Between clang-format off and on, where columns may be wide."""
    before = "\n".join(f.lines[:line - 1])
    return before.rfind("clang-format off") > before.rfind("clang-format on")


def comment(f, line, text):
    """What may not stand in a comment."""
    if re.search(r"\b(FIXME|XXX|HACK)\b|\bTODO\b(?!\(#\d+\))", text):
        yield f.path, line, "TODO(#issue) only"
    for k in range(text.count("\n") + 1):
        whole = f.lines[line + k - 1]  # clang-format sees to code
        is_all = k > 0 or whole.lstrip().startswith("/*")
        # The closing mark may stand beyond, rather than alone on a line.
        words = whole.removesuffix(" */").expandtabs(8)
        if is_all and len(words) > COLUMNS and not (f.path.endswith(".def") or in_table(f, line)):
            yield f.path, line + k, f"wider than {COLUMNS} columns"
    if not f.path.endswith(".c"):
        return  # headers may show how they are used
    for k, one in enumerate(text.split("\n")):
        if re.search(r"^[\s/*]*(\w+\([^()]*\)|(\w|->|\.)+ = [^;]+|return [^;]+|if \(.*\) \{?);\s*(\*/)?$",
                     one):
            yield f.path, line + k, "commented-out code"


def own_header(tree, f):
    if f.path.endswith(".c"):
        own = f.path[:-2].removeprefix("daemon/") + ".h"
        private = own[:-2] + "_priv.h"  # includes the other one
        first = next((name for _, name, is_ours in f.includes() if is_ours), None)
        exists = ("daemon/" + own) in tree.files or own in tree.files
        if exists and first not in (own, private):
            yield f.path, 1, f'include "{own}" first'
    elif f.path.endswith(".h"):
        guard = re.sub(r"[/.]", "_", f.path.removeprefix("daemon/")).upper()
        if f"#ifndef {guard}\n#define {guard}\n" not in f.text:
            yield f.path, 1, f"include guard {guard} is missing"
        if not f.text.startswith("/*"):
            yield f.path, 1, "a header opens with what it is"


RULES = (layers, pure, libraries, bans, peer_arrays, sql, shape)
