# Everything is built below build/. `make help` lists the targets.

CC      ?= gcc
B       := build
PKGS    := libuv openssl libmicrohttpd libcares yaml-0.1 libpcre2-8 sqlite3 jansson \
           libcurl libsodium libidn2 libpsl libutf8proc libzstd zlib libseccomp libsystemd
WARN    := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wvla -Wmissing-prototypes -Werror
HARDEN  := -fstack-protector-strong -fPIE -fcf-protection -D_FORTIFY_SOURCE=2
OPT     ?= -O2 -g

# make SAN=1 builds everything once more with ASan and UBSan, below build/san.
ifdef SAN
B       := build/san
HARDEN  := -fPIE
OPT     := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined \
           -fno-sanitize-recover=undefined
LDSAN   := -fsanitize=address,undefined
endif

PKG_CFLAGS = $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS   = $(shell pkg-config --libs $(PKGS) 2>/dev/null)

CFLAGS_ALL  = -std=c11 -D_GNU_SOURCE -pthread $(WARN) $(HARDEN) $(OPT) -Idaemon -I. \
              $(PKG_CFLAGS) $(CFLAGS)
LDFLAGS_ALL = -pie -pthread -Wl,-z,relro,-z,now $(LDSAN) $(LDFLAGS)

LIB_SRC  := $(filter-out daemon/main.c,$(wildcard daemon/*/*.c api/*.c))
LIB_OBJ  := $(LIB_SRC:%.c=$(B)/obj/%.o)
UNIT_SRC := $(wildcard tests/unit/*.c tests/unit/*/*.c)
UNIT_OBJ := $(UNIT_SRC:%.c=$(B)/obj/%.o)

.PHONY: all
all: $(B)/mailstead

$(B)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) -MMD -MP -c $< -o $@

$(B)/libmailstead.a: $(LIB_OBJ)
	@rm -f $@
	ar rcs $@ $^

$(B)/mailstead: $(B)/obj/daemon/main.o $(B)/libmailstead.a
	$(CC) $(LDFLAGS_ALL) $^ $(PKG_LIBS) -o $@

$(B)/unit-tests: $(UNIT_OBJ) $(B)/libmailstead.a
	$(CC) $(LDFLAGS_ALL) $^ $(PKG_LIBS) -lcunit -o $@

.PHONY: unit
unit: $(B)/unit-tests
	$(B)/unit-tests

.PHONY: test
test: unit

.PHONY: check
check: all test

.PHONY: clean
clean:
	rm -rf build

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)
