# Everything is built below build/; nothing is made anywhere else, but for webui/node_modules.
# `make help` lists the targets.

ifeq ($(origin CC),default)
CC      := gcc
endif
# As many jobs as there are cores, unless make was told otherwise; V=1 shows the commands.
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell nproc)
endif
ifeq ($(V),)
SAY      = @echo "  $(1) $@";
endif
PREFIX  ?= /usr
VERSION := $(shell sed -n 's/.*MAILSTEAD_VERSION "\(.*\)"/\1/p' daemon/base/version.h)
PKGS    := libuv openssl libcares yaml-0.1 libpcre2-8 sqlite3 jansson libsodium libidn2 \
           libpsl libutf8proc libzstd zlib expat libseccomp
# Those that few processes need: loaded by these alone (ext/library.h), not linked.
PKGS_LOADED := libmicrohttpd libcurl libsystemd
WARN    := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wvla -Wmissing-prototypes -Werror
HARDEN  := -fstack-protector-strong -fPIE -fcf-protection -D_FORTIFY_SOURCE=2
OPT     ?= -O2 -g
B       := build

# SAN=1 builds the same once more with ASan and UBSan, below build/san.
ifdef SAN
B       := build/san
HARDEN  := -fPIE
OPT     := -O1 -g -fno-omit-frame-pointer
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=undefined
endif

# TSAN=1 builds it with ThreadSanitizer, below build/tsan.
ifdef TSAN
B       := build/tsan
HARDEN  := -fPIE
OPT     := -O1 -g -fno-omit-frame-pointer
SANITIZE := -fsanitize=thread
endif

# FUZZ=1 builds for libFuzzer, with clang, below build/fuzz.
ifdef FUZZ
B       := build/fuzz
HARDEN  := -fPIE
OPT     := -O1 -g -fno-omit-frame-pointer
SANITIZE := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
endif

# COV=1 builds with clang's counters of what is reached, below build/cov.
ifdef COV
B       := build/cov
HARDEN  := -fPIE
OPT     := -O1 -g
SANITIZE := -fprofile-instr-generate -fcoverage-mapping
endif

# Both need clang, whichever compiler all the rest is built with (make CC=gcc-13 check-all).
ifneq ($(FUZZ)$(COV),)
ifeq ($(findstring clang,$(CC)),)
override CC := clang
endif
endif

# The macros of seccomp.h leave fields out, which clang does not forgive.
ifneq ($(findstring clang,$(CC)),)
WARN    += -Wno-missing-field-initializers
endif

PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) $(PKGS_LOADED) 2>/dev/null)
PKG_LIBS   := $(shell pkg-config --libs $(PKGS) 2>/dev/null)
CPPFLAGS_ALL := -D_GNU_SOURCE -Idaemon -I. $(PKG_CFLAGS)
CFLAGS_ALL  = -std=c11 -pthread $(CPPFLAGS_ALL) $(WARN) $(HARDEN) $(OPT) $(SANITIZE) $(CFLAGS)
LDFLAGS_ALL = -pie -pthread -Wl,-z,relro,-z,now $(SANITIZE) $(LDFLAGS)

LIB_SRC  := $(filter-out daemon/main.c,$(wildcard daemon/*/*.c api/*.c))
LIB_OBJ  := $(LIB_SRC:%.c=$(B)/obj/%.o)
UNIT_OBJ := $(patsubst %.c,$(B)/obj/%.o,$(wildcard tests/unit/*.c tests/unit/*/*.c))
ALONE    := $(wildcard tests/unit/*/alone/*_test.c)
UNIT_OBJ += $(ALONE:%_test.c=$(B)/obj/%_bound.o)
DLG_OBJ  := $(patsubst %.c,$(B)/obj/%.o,$(wildcard tests/dialogue/*.c))
FUZZERS  := $(patsubst tests/fuzz/%.c,$(B)/%,$(wildcard tests/fuzz/fuzz_*.c))

.PHONY: all
all: $(B)/mailstead webui ## build build/mailstead and the dashboard (the default)

$(B)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(call SAY,CC)$(CC) $(CFLAGS_ALL) -MMD -MP -c $< -o $@

# The document is built in by the assembler, which leaves no dependency behind.
$(B)/obj/api/openapi.o: api/openapi.yaml

$(B)/libmailstead.a: $(LIB_OBJ)
	@rm -f $@
	$(call SAY,AR)ar rcs $@ $^

$(B)/mailstead: $(B)/obj/daemon/main.o $(B)/libmailstead.a
	$(call SAY,LD)$(CC) $(LDFLAGS_ALL) $^ $(PKG_LIBS) -o $@

# A test in alone/ plays the neighbours of its module: it is bound to that one object, and the
# names of both are hidden, so that its neighbours and the real ones never meet.
define bind
$(1:%_test.c=$(B)/obj/%_bound.o): $(1:%.c=$(B)/obj/%.o) \
		$(patsubst tests/unit/%_test.c,$(B)/obj/daemon/%.o,$(subst alone/,,$(1)))
	$$(call SAY,BIND)ld -r -o $$@.all $$^ && objcopy -G nothing $$@.all $$@ && rm $$@.all
endef
$(foreach test,$(ALONE),$(eval $(call bind,$(test))))

$(B)/unit-tests: $(UNIT_OBJ) $(B)/libmailstead.a
	$(call SAY,LD)$(CC) $(LDFLAGS_ALL) $^ $(PKG_LIBS) -lcunit -o $@

$(B)/dialogue-tests: $(DLG_OBJ) $(B)/libmailstead.a
	$(call SAY,LD)$(CC) $(LDFLAGS_ALL) $^ $(PKG_LIBS) -o $@

# The fuzzers that need more than their file and the library: what tests feed a module by.
$(B)/fuzz_http_head: $(B)/obj/tests/unit/api/http_gate_rig.o
FUZZ_WORLD := $(B)/obj/tests/dialogue/imap_world.o $(B)/obj/tests/dialogue/imap_world_ops.o
$(B)/fuzz_imap_session: $(FUZZ_WORLD)
FUZZ_PARTS = $(filter %.o,$^) $(filter %.a,$^)

# A fuzzer has no main of its own: libFuzzer's, or ours that replays a corpus.
ifdef FUZZ
$(B)/fuzz_%: $(B)/obj/tests/fuzz/fuzz_%.o $(B)/libmailstead.a
	$(call SAY,LD)$(CC) $(LDFLAGS_ALL) -fsanitize=fuzzer $(FUZZ_PARTS) $(PKG_LIBS) -o $@
else
$(B)/fuzz_%: $(B)/obj/tests/fuzz/fuzz_%.o $(B)/obj/tests/fuzz/replay.o $(B)/libmailstead.a
	$(call SAY,LD)$(CC) $(LDFLAGS_ALL) $(FUZZ_PARTS) $(PKG_LIBS) -o $@
endif
.PRECIOUS: $(B)/obj/%.o

.PHONY: fuzzers
fuzzers: $(FUZZERS)

# The dashboard: what npm ci installs follows the lock file, what esbuild makes the sources.
WEBUI_SRC := $(shell find webui -type f -not -path '*/node_modules/*' 2>/dev/null)

# npm trusts whom the system trusts, company proxies included.
export NODE_EXTRA_CA_CERTS ?= $(firstword $(wildcard /etc/ssl/certs/ca-certificates.crt \
                                /etc/pki/tls/certs/ca-bundle.crt))

.PHONY: webui
ifneq ($(wildcard webui/package.json),)
webui: build/webui/.built
else
webui:
endif

webui/node_modules/.installed: webui/package-lock.json
	cd webui && npm ci --no-audit --no-fund --loglevel=error --fetch-retries=5
	@touch $@

build/webui/.built: webui/node_modules/.installed $(WEBUI_SRC)
	@mkdir -p $(@D)
	cd webui && npm run --silent check && npm run --silent build -- --outdir ../build/webui
	@touch $@

# ---- running and testing ----

.PHONY: run
run: ## an instance of our own below build/run, with mail accounts; Ctrl-C ends it
	@packaging/install-deps.sh run
	@$(MAKE) --no-print-directory all
	@packaging/run-local.sh

# The "+" hands the suites' builds the job server; without it each would compile on one core.
.PHONY: test
test: ## unit and dialogue tests and the quick lints: under a minute
	+@tests/summary.sh unit dialogue lint-quick

# What make check runs, in this order: what fails fast comes first. It is to stay under 15
# minutes on two cores; what takes longer is added by make check-all.
SUITES := lint-quick unit dialogue unit-san dialogue-san replay differential system crash
SUITES_LONG := lint system-san crash-long differential-long trust fuzz

.PHONY: check
check: ## everything that must hold before a change lands; ends with "N passed, N failed"
	@packaging/install-deps.sh
	+@SYSTEM_TRIES=2 tests/summary.sh $(SUITES)

.PHONY: check-all
check-all: ## check, deeper lints, and the long crash and fuzz runs
	@packaging/install-deps.sh
	+@LINT_DEEP=1 FUZZ_SECONDS=60 tests/summary.sh $(SUITES) $(SUITES_LONG)

.PHONY: unit
unit: $(B)/unit-tests ## unit tests; SAN=1: with ASan and UBSan
	@$(B)/unit-tests

.PHONY: dialogue
dialogue: $(B)/dialogue-tests ## protocol stories of tests/dialogue against the bare cores
	@$(B)/dialogue-tests tests/dialogue

.PHONY: unit-san dialogue-san
unit-san dialogue-san:
	@$(MAKE) --no-print-directory SAN=1 $(@:-san=)

# Twice: as people run it, closed in by its sandboxes; and with sanitizers, which cannot live
# in those but see what a real peer provokes, and which take their time. TESTS="10 40" runs
# only those whose names have one of these words.
TESTS ?=
.PHONY: system system-san system-tsan
system: all $(B)/dialogue-tests ## the appliance against real mail programs; TESTS="10 40": some
	@MAILSTEAD_BINARY=$(CURDIR)/$(B)/mailstead tests/system/run $(TESTS)
system-san: SANITIZER := san
system-tsan: SANITIZER := tsan
system-san system-tsan:
	@$(MAKE) --no-print-directory $(if $(filter san,$(SANITIZER)),SAN,TSAN)=1 all \
	        build/$(SANITIZER)/dialogue-tests
	@ln -sfn ../webui build/$(SANITIZER)/webui # looked for beside the binary
	@SYSTEM_TEST_LIMIT_S=1500 SYSTEM_LOGS=build/system-$(SANITIZER) \
	        MAILSTEAD_BINARY=$(CURDIR)/build/$(SANITIZER)/mailstead tests/system/run $(TESTS)

.PHONY: browser
browser: all ## the system tests that drive the dashboard with headless Chromium, alone
	@MAILSTEAD_BINARY=$(CURDIR)/$(B)/mailstead tests/system/run dashboard

# Preloaded into the processes of the crash tests, and nothing else.
$(B)/fault.so: tests/crash/fault.c
	@mkdir -p $(@D)
	$(call SAY,LD)$(CC) -std=c11 -D_GNU_SOURCE $(WARN) -O2 -g -fPIC -shared $< -o $@

.PHONY: crash crash-long
crash: all $(B)/fault.so ## processes killed under load, a short run
	@MAILSTEAD_BINARY=$(CURDIR)/$(B)/mailstead tests/crash/run
crash-long: all $(B)/fault.so
	@MAILSTEAD_BINARY=$(CURDIR)/$(B)/mailstead tests/crash/run --long

.PHONY: trust
trust: all $(B)/fault.so ## attacks and faults with their figures (tests/trust), under an hour
	@MAILSTEAD_BINARY=$(CURDIR)/$(B)/mailstead tests/trust/run

$(B)/dkim_bench: $(B)/obj/tests/bench/dkim_bench.o $(B)/libmailstead.a
	$(call SAY,LD)$(CC) $(LDFLAGS_ALL) $^ $(PKG_LIBS) -o $@

.PHONY: differential differential-long
differential: $(B)/dkim-tool $(B)/dmarc-tool $(B)/spf-tool ## our verdicts beside those of other programs, on made-up mail
	@tests/differential/run
differential-long: $(B)/dkim-tool $(B)/dmarc-tool $(B)/spf-tool
	@tests/differential/run --long

$(B)/store_bench: $(B)/obj/tests/bench/store_bench.o $(B)/obj/tests/unit/store/rig.o \
                  $(B)/libmailstead.a
	$(call SAY,LD)$(CC) $(LDFLAGS_ALL) $^ $(PKG_LIBS) -o $@

$(B)/spf-tool: $(B)/obj/tests/differential/spf_tool.o \
               $(B)/obj/tests/unit/policy/zone.o $(B)/libmailstead.a
	$(call SAY,LD)$(CC) $(LDFLAGS_ALL) $^ $(PKG_LIBS) -o $@

$(B)/dkim-tool: $(B)/obj/tests/differential/dkim_tool.o $(B)/libmailstead.a
	$(call SAY,LD)$(CC) $(LDFLAGS_ALL) $^ $(PKG_LIBS) -o $@

$(B)/dmarc-tool: $(B)/obj/tests/differential/dmarc_tool.o $(B)/libmailstead.a
	$(call SAY,LD)$(CC) $(LDFLAGS_ALL) $^ $(PKG_LIBS) -o $@

$(B)/spf_bench: $(B)/obj/tests/bench/spf_bench.o $(B)/libmailstead.a
	$(call SAY,LD)$(CC) $(LDFLAGS_ALL) $^ $(PKG_LIBS) -o $@

.PHONY: bench
bench: all ## measure beside Postfix and Dovecot
	@packaging/install-deps.sh
	@MAILSTEAD_BINARY=$(CURDIR)/$(B)/mailstead tests/bench/run

.PHONY: fuzz
fuzz: ## each fuzzer for FUZZ_SECONDS (10) with libFuzzer
	@$(MAKE) --no-print-directory FUZZ=1 fuzzers
	@tests/fuzz/run build/fuzz

.PHONY: fuzz-coverage
fuzz-coverage: ## how much of each parser the corpora reach
	@$(MAKE) --no-print-directory COV=1 fuzzers
	@tests/fuzz/coverage build/cov

.PHONY: replay
replay: ## every fuzzer over its corpus, with gcc's sanitizers
	@$(MAKE) --no-print-directory SAN=1 fuzzers
	@tests/fuzz/replay build/san

.PHONY: lint lint-quick
lint: ## layers, bans, citations, format, clang-tidy, cppcheck
	@tests/lint/run
lint-quick:
	@tests/lint/run --quick

.PHONY: format
format: ## clang-format over the tree
	@git ls-files '*.[ch]' | xargs clang-format -i

# ---- installing ----

# Manual pages take their lists from the program itself: commands from its usage, keys from
# the configuration's schema.
MAN     := packaging/man/mailstead

$(B)/mailstead.1: $(B)/mailstead $(MAN).1.head $(MAN).1.tail packaging/man/commands.awk
	@cp $(MAN).1.head $@.new
	@$< help | awk -f packaging/man/commands.awk >>$@.new
	@cat $(MAN).1.tail >>$@.new && mv $@.new $@

$(B)/mailstead.yaml.5: $(B)/mailstead $(MAN).yaml.5.head $(MAN).yaml.5.tail
	@cp $(MAN).yaml.5.head $@.new && $< check --schema=man >>$@.new
	@cat $(MAN).yaml.5.tail >>$@.new && mv $@.new $@

.PHONY: install deb rpm
install: all $(B)/mailstead.1 $(B)/mailstead.yaml.5 ## into DESTDIR and PREFIX (/usr)
	@packaging/install.sh "$(DESTDIR)" "$(PREFIX)"
deb: all $(B)/mailstead.1 $(B)/mailstead.yaml.5 ## build/mailstead_VERSION_ARCH.deb
	@packaging/make-deb.sh $(VERSION)
rpm: all $(B)/mailstead.1 $(B)/mailstead.yaml.5 ## build/mailstead-VERSION-1.ARCH.rpm
	@packaging/make-rpm.sh $(VERSION)

.PHONY: clean
clean: ## remove build/ and webui/node_modules
	rm -rf build webui/node_modules

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1\t/p' Makefile | \
	        awk -F'\t' '{ printf "  make %-10s %s\n", $$1, $$2 }'

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)
