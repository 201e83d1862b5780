/* dkim_tool - our DKIM and ARC behind a pipe, for tests that compare them with others.
 *
 * Commands are lines on standard input, some followed by so many bytes; each is answered:
 *
 *     key NAME BYTES           a TXT record of that name      ok
 *     lost NAME                DNS does not answer for it     ok
 *     clear                    no records any more            ok
 *     pem BYTES                a private key to sign with     ok, or the error
 *     verify NOW_S BYTES       a message       COUNT, then as many lines RESULT REASON
 *     arc NOW_S BYTES          a message       RESULT COUNT OLDEST REASON
 *     sign NOW_S DOMAIN SELECTOR BYTES         BYTES, then the fields; or the error
 *     seal NOW_S DOMAIN SELECTOR SERVER HEADERS BYTES        likewise; HEADERS may be "-"
 */
#include "policy/arc.h"
#include "policy/dkim_sign.h"
#include "policy/dkim_verify.h"

#include "ext/crypto.h"
#include "mail/header.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	LINE_MAX_BYTES = 2048,
	MESSAGE_MAX = 64 << 20,
	WORDS_MAX = 8,
	RECORDS_MAX = 64,
};

struct record {
	struct str name, text;
	bool is_lost;
};

struct tool {
	struct arena *zone; /* records and keys */
	size_t record_count;
	struct record records[RECORDS_MAX];
	struct crypto_key *key;
};

static struct str
read_bytes(struct arena *a, uint64_t n)
{
	char *p = arena_alloc(a, n + 1);

	if (fread(p, 1, n, stdin) != n)
		exit(1);
	return str_make(p, n);
}

static void
answer(const struct tool *t, struct lookup *q)
{
	struct dns_record found[RECORDS_MAX];
	struct dns_answer a = { .status = DNS_NXDOMAIN, .records = found };

	for (size_t i = 0; i < t->record_count; i++) {
		const struct record *r = &t->records[i];

		if (!str_eq_icase(r->name, q->name) || q->type != DNS_TXT)
			continue;
		a.status = r->is_lost ? DNS_TEMP : DNS_OK;
		if (!r->is_lost)
			found[a.count++] =
				(struct dns_record){ .type = DNS_TXT, .text = r->text };
	}
	lookups_answer(q, &a);
}

static void
answer_all(const struct tool *t, struct lookups *l)
{
	struct lookup *q;

	while ((q = lookups_next(l)))
		answer(t, q);
}

struct message {
	struct str header, body;
};

static struct message
split(struct str bytes)
{
	size_t n = header_size(bytes);
	struct str header = str_first(bytes, n);

	/* The empty line is neither's. */
	if (str_ends(header, STR("\r\n\r\n")) || str_eq(header, STR("\r\n")))
		header.n -= 2;
	return (struct message){ header, str_from_offset(bytes, n) };
}

static void
verify(const struct tool *t, struct arena *a, int64_t now_ms, struct message m)
{
	struct dkim_verifier *v = dkim_verifier_new(a);
	struct lookups *l = lookups_new(a, LOOKUPS_MAX);

	dkim_verifier_header(v, m.header);
	dkim_verifier_body(v, m.body);
	dkim_verifier_end(v);
	while (dkim_verifier_check(v, now_ms, l) == POLICY_NEED)
		answer_all(t, l);
	printf("%zu\n", dkim_verifier_count(v));
	for (size_t i = 0; i < dkim_verifier_count(v); i++) {
		const struct dkim_verdict *d = dkim_verifier_verdict(v, i);

		printf("%s %.*s\n", dkim_result_word(d->result), STR_ARG(d->reason));
	}
	dkim_verifier_free(&v);
}

static struct arc_verdict
validate(const struct tool *t, struct arena *a, int64_t now_ms, struct message m)
{
	struct arc_validator *v = arc_validator_new(a);
	struct lookups *l = lookups_new(a, LOOKUPS_MAX);
	struct arc_verdict verdict;

	arc_validator_header(v, m.header);
	arc_validator_body(v, m.body);
	arc_validator_end(v);
	while (arc_validator_check(v, now_ms, l, &verdict) == POLICY_NEED)
		answer_all(t, l);
	arc_validator_free(&v);
	return verdict;
}

static void
put(enum err e, struct strbuf *out)
{
	if (e != OK) {
		printf("%s\n", err_get(e)->word);
		return;
	}
	printf("%zu\n", out->n);
	if (out->n)
		fwrite(out->p, 1, out->n, stdout);
}

static void
sign(const struct tool *t, struct arena *a, int64_t now_ms, const struct str *words,
     struct message m)
{
	struct dkim_signing_key key = { words[2], words[3], t->key };
	struct strbuf out = strbuf_arena(a, 1 << 20);
	struct dkim_signer *s = dkim_signer_new(a);

	dkim_signer_header(s, m.header);
	dkim_signer_body(s, m.body);
	put(dkim_signer_end(s, &key, 1, now_ms, 0, &out), &out);
	dkim_signer_free(&s);
}

static void
seal(const struct tool *t, struct arena *a, int64_t now_ms, const struct str *words,
     struct message m)
{
	struct strbuf out = strbuf_arena(a, 1 << 20);
	struct arc_verdict verdict = validate(t, a, now_ms, m);
	struct arc_seal s = {
		.domain = words[2],
		.selector = words[3],
		.authserv_id = words[4],
		.key = t->key,
		.results = arc_results_of(m.header, words[4], a),
		.headers = str_eq(words[5], STR("-")) ? STR("") : words[5],
		.now_ms = now_ms,
	};

	put(arc_seal(a, &s, &verdict, m.header, m.body, &out), &out);
}

static void
set_key(struct tool *t, struct str pem)
{
	enum err e;

	crypto_key_free(&t->key);
	e = crypto_key_parse_private(pem, &t->key);
	printf("%s\n", e == OK ? "ok" : err_get(e)->word);
}

static void
add_record(struct tool *t, struct str name, struct str text, bool is_lost)
{
	if (t->record_count == RECORDS_MAX)
		exit(1);
	t->records[t->record_count++] =
		(struct record){ arena_str(t->zone, name), text, is_lost };
	printf("ok\n");
}

static void
clear(struct tool *t)
{
	arena_reset(t->zone);
	t->record_count = 0;
	printf("ok\n");
}

/* The last word is how many bytes follow. */
static bool
run(struct tool *t, struct arena *a, const struct str *words, size_t count)
{
	struct str verb = words[0], bytes = STR("");
	struct message m;
	uint64_t now_s = 0, n = 0;

	if (str_eq(verb, STR("clear"))) {
		clear(t);
		return true;
	}
	if (count < 2)
		return false;
	if (str_eq(verb, STR("lost"))) {
		add_record(t, words[1], STR(""), true);
		return true;
	}
	if (!str_parse_u64(words[count - 1], &n) || n > MESSAGE_MAX)
		return false;
	bytes = read_bytes(str_eq(verb, STR("key")) ? t->zone : a, n);
	if (str_eq(verb, STR("key"))) {
		add_record(t, words[1], bytes, false);
		return true;
	}
	if (str_eq(verb, STR("pem"))) {
		set_key(t, bytes);
		return true;
	}
	m = split(bytes);
	if (!str_parse_u64(words[1], &now_s))
		return false;
	if (str_eq(verb, STR("verify"))) {
		verify(t, a, (int64_t)now_s * 1000, m);
	} else if (str_eq(verb, STR("arc"))) {
		struct arc_verdict v = validate(t, a, (int64_t)now_s * 1000, m);

		printf("%s %zu %zu %.*s\n", arc_result_word(v.result), v.count,
		       v.oldest_pass, STR_ARG(v.reason));
	} else if (str_eq(verb, STR("sign")) && count == 5) {
		sign(t, a, (int64_t)now_s * 1000, words, m);
	} else if (str_eq(verb, STR("seal")) && count == 7) {
		seal(t, a, (int64_t)now_s * 1000, words, m);
	} else {
		return false;
	}
	return true;
}

int
main(void)
{
	struct tool t = { .zone = arena_new(64 << 20) };
	struct arena *a = arena_new(256 << 20);
	char line[LINE_MAX_BYTES];

	while (fgets(line, sizeof(line), stdin)) {
		struct str rest = str_trim(str_from(line)), words[WORDS_MAX];
		size_t count = 0;

		while (count < WORDS_MAX && str_next(&rest, ' ', &words[count]))
			count++;
		if (!count || !run(&t, a, words, count)) {
			(void)fprintf(stderr, "dkim_tool: not understood: %s", line);
			return 2;
		}
		fflush(stdout);
		arena_rewind(a);
	}
	arena_free(&a);
	arena_free(&t.zone);
	crypto_key_free(&t.key);
	return 0;
}
