"""The lints' own tests: each row is a small tree that breaks one rule, or just does not."""

import os
import shutil
import sys
import tempfile

import code_rules
import doc_rules
import tools
from tree import Tree

H = "/* x.h - x. */\n#ifndef {0}\n#define {0}\n{1}\n#endif\n"
OK = None

# rule, files of the tree, and "path:line" of what must be found (OK: nothing)
CASES = [
    ("layers", {"daemon/mail/a.c": '#include "smtp/x.h"\n'}, "daemon/mail/a.c:1"),
    ("layers", {"daemon/smtp/a.c": '#include "mail/x.h"\n#include "smtp/y.h"\n'}, OK),
    ("layers", {"daemon/imap/a.c": '\n#include "smtp/x.h"\n'}, "daemon/imap/a.c:2"),
    ("layers", {"daemon/smtp/a.c": '#include "store/reader_priv.h"\n'}, "daemon/smtp/a.c:1"),
    ("layers", {"daemon/smtp/a.c": '#include "smtp_session.h"\n'}, "daemon/smtp/a.c:1"),
    ("layers", {"daemon/smtp/a.c": '/* #include "role/x.h" */\n'}, OK),
    ("layers", {"daemon/new/a.c": "int a;\n"}, "daemon/new/a.c:1"),
    ("pure", {"daemon/imap/imap.c": '#include "io/stream.h"\n'}, "daemon/imap/imap.c:1"),
    ("pure", {"daemon/imap/imap_conn.c": '#include "io/stream.h"\n'}, OK),
    ("pure", {"daemon/mail/date.c": "#include <time.h>\n"}, "daemon/mail/date.c:1"),
    ("libraries", {"daemon/io/tls.c": "#include <openssl/ssl.h>\n"}, OK),
    ("libraries", {"daemon/smtp/a.c": "#include <openssl/ssl.h>\n"}, "daemon/smtp/a.c:1"),
    ("libraries", {"daemon/ext/json.h": "#include <jansson.h>\n"}, "daemon/ext/json.h:1"),
    ("libraries", {"daemon/ext/a.c": "#include <expat.h>\n", "api/b.c": "\n#include <expat.h>\n"},
     "daemon/ext/a.c:1"),
    ("libraries", {"daemon/ext/a.c": "#include <expat.h>\n#include <stdio.h>\n"}, OK),
    ("libraries", {"daemon/ext/a.c": "#include <lua.h>\n"}, "daemon/ext/a.c:1"),
    ("bans", {"daemon/io/a.c": "void f(void)\n{\n\tstrcpy(a, b);\n}\n"}, "daemon/io/a.c:3"),
    ("bans", {"daemon/io/a.c": "/* strcpy(a, b) */ int x = p->system(1);\n"}, OK),
    ("bans", {"daemon/io/a.c": 'const char *s = "system(x)";\n'}, OK),
    ("bans", {"daemon/smtp/a.c": "p = malloc(3);\n"}, "daemon/smtp/a.c:1"),
    ("bans", {"daemon/base/a.c": "p = malloc(3);\n"}, OK),
    ("bans", {"daemon/smtp/a.c": "n = strlen(p);\n"}, "daemon/smtp/a.c:1"),
    ("bans", {"daemon/conf/a.c": "n = strlen(p);\n"}, OK),
    ("peer_arrays", {"daemon/smtp/a.c": "{\n\tchar name[20];\n}\n"}, "daemon/smtp/a.c:2"),
    ("peer_arrays", {"daemon/smtp/a.c": "{\n\tchar name[20];\n\tb = strbuf_on(name);\n}\n"}, OK),
    ("sql", {"daemon/imap/a.c": 'q("SELECT a FROM b");\n'}, "daemon/imap/a.c:1"),
    ("sql", {"daemon/store/a.c": 'q("SELECT a FROM b WHERE c = ?1");\n'}, OK),
    ("sql", {"daemon/store/a.c": 'q("DELETE FROM b WHERE c = %s");\n'}, "daemon/store/a.c:1"),
    ("shape", {"daemon/io/a.c": "int a;\n" * 801}, "daemon/io/a.c:1"),
    ("shape", {"daemon/io/a.c": "int a; \n"}, "daemon/io/a.c:1"),
    ("shape", {"daemon/io/a.c": "int a;\n/* TODO: more */\n"}, "daemon/io/a.c:2"),
    ("shape", {"daemon/io/a.c": "int a;\n/* \u202e */\n"}, "daemon/io/a.c:2"),
    ("shape", {"daemon/io/a.c": "/* TODO(#3) more */\n"}, OK),
    ("shape", {"daemon/io/a.c": "/* close(fd); */\n"}, "daemon/io/a.c:1"),
    ("shape", {"daemon/io/a.h": H.format("IO_A_H", "typedef struct a a;")}, "daemon/io/a.h:4"),
    ("shape", {"daemon/io/a.h": H.format("IO_A_H", "typedef enum a f(int);")}, OK),
    ("shape", {"daemon/io/a.h": H.format("A_H", "")}, "daemon/io/a.h:1"),
    ("shape", {"daemon/io/a.h": H.format("IO_A_H", ""),
               "daemon/io/a.c": '#include "base/str.h"\n#include "io/a.h"\n'}, "daemon/io/a.c:1"),
    ("readmes", {"daemon/io/a.c": "int a;\n"}, "daemon/io/README.md:1"),
    ("readmes", {"daemon/io/a.c": "int a;\n", "daemon/io/README.md": "x\n" * 41},
     "daemon/io/README.md:1"),
    ("modules", {"daemon/io/dns.c": "int a;\n", "daemon/io/README.md": "`dns_ares`\n"},
     "daemon/io/dns.c:1"),
    ("modules", {"daemon/io/dns.c": "int a;\n", "daemon/io/tls_a.h": "int b;\n",
                 "daemon/io/README.md": "`dns.h`, `tls_*`\n"}, OK),
    ("readmes", {"daemon/io/a.c": "int a;\n", "daemon/io/README.md": "x\n" * 40}, OK),
    ("abbreviations", {"daemon/README.md": "\n## Abbreviations\n`ms` `addr`\n",
                       "daemon/io/a.h": "long wait_ms;\nlong addrs; /* cfg */\n"}, OK),
    ("abbreviations", {"daemon/README.md": "`cfg`\n\n## Abbreviations\n`int`\n",
                       "daemon/io/a.h": "\nint cfg_open;\n"}, "daemon/io/a.h:2"),
    ("abbreviations", {"daemon/README.md": "\n## Abbreviations\n`int`\n",
                       "daemon/io/a.h": "int max_idx1;\n"}, "daemon/io/a.h:1"),
    ("abbreviations", {"daemon/io/a.c": "int a;\n"}, "daemon/README.md:1"),
    ("citations", {"daemon/io/a.c": "/* RFC 5321 4.1 */\n"}, OK),
    ("citations", {"daemon/io/a.c": "\n/* RFC 5999 4.1 */\n"}, "daemon/io/a.c:2"),
    ("citations", {"daemon/io/a.c": "/* RFC 2821 */\n"}, "daemon/io/a.c:1"),
    ("citations", {"daemon/io/a.c": "/* RFC5321 */\n"}, "daemon/io/a.c:1"),
    ("citations", {"daemon/io/a.c": "/* RFC 5321 section 4.1 */\n"}, "daemon/io/a.c:1"),
    ("citations", {"daemon/io/a.c": "/* RFC822.SIZE */\n"}, OK),
    ("events", {"daemon/base/trace.def": 'EVENT(A, "a.b", info, "to {ip}")\n',
                "daemon/io/a.c": 'event_init(e, EV_A);\nevent_str(e, "ip", s);\n'}, OK),
    ("events", {"daemon/base/trace.def": 'EVENT(A, "a.b", info, "to {ip}")\n',
                "daemon/io/a.c": "event_init(e, EV_A);\n"}, "daemon/base/trace.def:1"),
    ("events", {"daemon/base/trace.def": 'EVENT(A, "a.b", info, "to")\n',
                "daemon/io/a.c": "int a;\n"}, "daemon/base/trace.def:1"),
    ("heard", {"daemon/base/trace.def": 'EVENT(A, "queue.a", info, "to")\n',
               "webui/src/lib/live.ts": 'const EVENTS = ["queue.b"];\n'}, "webui/src/lib/live.ts:1"),
    ("heard", {"daemon/base/trace.def": 'EVENT(A, "queue.a", info, "to")\n',
               "webui/src/lib/live.ts": 'const EVENTS = ["queue.b", "queue.a"];\n'}, OK),
    ("keys", {"daemon/conf/limits.def": 'LIMIT(a, count, 1, 2, 1, reload, "")\n'},
     "daemon/conf/limits.def:1"),
    ("keys", {"daemon/conf/keys.def": 'KEY("a.b", none, "", "What it is for.")\n',
              "etc/mailstead.yaml": "hostname: x\n"}, "daemon/conf/keys.def:1"),
    ("keys", {"daemon/conf/keys.def": 'KEY("a.b", none, "", "What it is for.")\n',
              "etc/mailstead.yaml": "# a: {b: 1}\n"}, OK),
    ("top", {"daemon/io/a.c": "int a;\n", "notes.txt": "x\n"}, "notes.txt:1"),
    ("top", {"daemon/io/a.c": "int a;\n", ".ci/run": "x\n"}, OK),
    ("headers", {"daemon/io/a.h": "size_t a;\n"}, "daemon/io/a.h:1"),
    ("headers", {"daemon/io/a.h": "#include <stddef.h>\nextern size_t a;\n"}, OK),
    ("formatted", {"daemon/io/a.c": "int   a;\n"}, "daemon/io/a.c:1"),
    ("formatted", {"daemon/io/a.c": "int a;\n"}, OK),
    ("shell", {"tests/run": "#!/bin/sh\nrm $1\n"}, "tests/run:2"),
    ("shell", {"tests/run": "#!/bin/sh\nrm \"$1\"\n"}, OK),
    ("shape", {"daemon/io/a.c": "int a;\n/* " + "x" * 90 + " */\n"}, "daemon/io/a.c:2"),
    ("tidy", {"daemon/io/a.c": "int f(int a);\nint f(int a)\n{\n\treturn a ? f(0) : a == a;\n}\n"},
     "daemon/io/a.c:4"),
    ("tidy", {"daemon/io/a.c": "int f(int a);\nint f(int a)\n{\n\treturn a + 1;\n}\n"}, OK),
    ("cppcheck", {"daemon/io/a.c": "int f(void)\n{\n\tint a[2] = { 0 };\n\treturn a[2];\n}\n"},
     "daemon/io/a.c:4"),
    ("cppcheck", {"daemon/io/a.c": "int f(void)\n{\n\treturn 1;\n}\n"}, OK),
]


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    top = os.path.dirname(os.path.dirname(here))
    rules = {r.__name__: r for r in
             (*code_rules.RULES, *doc_rules.RULES, *tools.QUICK, *tools.SLOW)}
    failed = 0
    for name, files, want in CASES:
        root = tempfile.mkdtemp()
        table = {"tests/lint/rfc.tsv": "2821\tobsolete\tx\n5321\tdraft\tSMTP\n",
                 "Makefile": "PKGS :=\n"}
        for path, text in {**table, **files}.items():
            os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as f:
                f.write(text)
        for settings in (".clang-format", ".clang-tidy"):
            shutil.copy(os.path.join(top, settings), root)
        found = {f"{path}:{line}" for path, line, _ in rules[name](Tree(root))}
        if found != (set() if want is OK else {want}):
            failed += 1
            print(f"selftest {name}: {files}\n  found {sorted(found)}, want {want}")
        shutil.rmtree(root)
    untested = set(rules) - {name for name, _, want in CASES if want is not OK}
    if untested:
        failed += 1
        print(f"selftest: nothing breaks {sorted(untested)}")
    print(f"lint selftest: {len(CASES) - failed} of {len(CASES)} as wanted")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
