#include "api/domain_records.h"

#include "ext/json.h"

enum {
	DNS_FULL_NAME_MAX = 1100,
};

/* --- policies ----------------------------------------------------------------------- */

/* The policies of one domain, while they are read. */
struct reading {
	struct reader *reader;
	uint64_t domain_id;
	struct arena *arena;
	int64_t changed_ms; /* of the last one that is set */
};

/* The JSON of one policy; NULL: nothing is set. */
static enum err
read_policy(struct reading *g, struct str name, uint64_t *version_out,
            struct json **doc_out)
{
	struct domain_policy p;
	enum err e = reader_domain_policy(g->reader, g->domain_id, name, g->arena, &p);

	*doc_out = NULL;
	if (e == ERR_NOT_FOUND)
		return OK;
	if (e == OK && json_parse(p.value, doc_out, NULL) == OK) {
		*version_out = p.version;
		g->changed_ms = p.changed_ms;
	}
	return e;
}

static struct str
text_of(const struct json_value *v, const char *key, struct str otherwise,
        struct arena *a)
{
	struct str s;

	return json_get_str(json_find(v, key), &s) ? arena_str(a, s) : otherwise;
}

static const char *
policy_word(struct str word)
{
	return str_eq(word, STR("reject"))       ? "reject"
	       : str_eq(word, STR("quarantine")) ? "quarantine"
	                                         : "none";
}

static const struct json_value *
root_of(const struct json *doc)
{
	return doc ? json_root(doc) : NULL;
}

enum err
domain_policies_read(struct reader *r, uint64_t domain_id, struct str domain,
                     struct arena *a, struct domain_policies *out)
{
	/* The names that the queue process reads: reader_is_for_reports. */
	struct str dmarc = arena_printf(a, "dmarc-reports@%.*s", STR_ARG(domain));
	struct str tls = arena_printf(a, "tls-reports@%.*s", STR_ARG(domain)), mode;
	const struct json_value *v;
	struct reading reading = { r, domain_id, a, 0 };
	struct json *doc;
	enum err e;

	*out = (struct domain_policies){ .sts_max_age_s = 604800 };
	e = read_policy(&reading, STR("dmarc"), &out->dmarc_version, &doc);
	v = root_of(doc);
	out->dmarc_policy = policy_word(text_of(v, "policy", STR("none"), a));
	out->dmarc_rua = text_of(v, "rua", dmarc, a);
	(void)json_get_bool(json_find(v, "testing"), &out->dmarc_testing);
	json_free(&doc);
	if (e != OK)
		return e;

	e = read_policy(&reading, STR("mta_sts"), &out->sts_version, &doc);
	v = root_of(doc);
	mode = text_of(v, "mode", STR("none"), a);
	out->sts_mode = str_eq(mode, STR("enforce"))   ? STS_ENFORCE
	                : str_eq(mode, STR("testing")) ? STS_TESTING
	                                               : STS_NONE;
	(void)json_get_i64(json_find(v, "max_age_s"), &out->sts_max_age_s);
	/* A new id with each change (RFC 8461 3.1). */
	out->sts_id = arena_printf(a, "%lld", (long long)reading.changed_ms);
	json_free(&doc);
	if (e != OK)
		return e;

	e = read_policy(&reading, STR("tls_rpt"), &out->tls_version, &doc);
	out->tls_rua = text_of(root_of(doc), "rua", tls, a);
	json_free(&doc);
	return e;
}

/* --- keys --------------------------------------------------------------------------- */

struct keys {
	struct arena *arena;
	struct records_key *p;
	size_t count;
};

static bool
take_key(void *arg, const struct dkim_key *k)
{
	struct keys *keys = arg;

	if (k->state == DKIM_KEY_GENERATED || keys->count == RECORDS_KEYS_MAX)
		return true;
	keys->p[keys->count++] = (struct records_key){
		.selector = arena_str(keys->arena, k->selector),
		.algorithm = dkim_algorithm_name((enum dkim_algorithm)k->algorithm),
		.public_key = arena_str(keys->arena, k->public_key),
		.is_revoked = k->state == DKIM_KEY_REVOKED,
		.is_waiting = k->state == DKIM_KEY_PUBLISH,
	};
	return true;
}

/* --- the whole ---------------------------------------------------------------------- */

static uint16_t
port_of(const struct conf *conf, enum conf_protocol protocol)
{
	const struct conf_addrs *l = &conf->listen[protocol];

	return l->n ? l->p[0].port : 0;
}

enum err
domain_records_conf(struct reader *r, const struct domain_records_host *host,
                    uint64_t domain_id, struct str domain, struct arena *a,
                    struct records_conf *out)
{
	const struct conf *conf = host->conf;
	struct tls_certificate certificate = { 0 };
	struct keys keys = { a, ARENA_ARRAY(a, struct records_key, RECORDS_KEYS_MAX), 0 };
	struct addr *own = ARENA_ARRAY(a, struct addr, host->ip_count + 1);
	struct domain_policies p;
	enum err e = domain_policies_read(r, domain_id, domain, a, &p);

	if (e == OK)
		e = reader_dkim_keys(r, domain_id, DKIM_KEY_ANY, take_key, &keys);
	if (e != OK)
		return e;
	for (size_t i = 0; i < host->ip_count; i++)
		own[i] = host->ips[i];
	if (host->tls)
		(void)tls_server_certificate(host->tls, a, &certificate);
	*out = (struct records_conf){
		.domain = domain,
		.hostname = conf->hostname,
		.ips = own,
		.ip_count = host->ip_count,
		.keys = keys.p,
		.key_count = keys.count,
		.dmarc_policy = p.dmarc_policy,
		.dmarc_testing = p.dmarc_testing,
		.dmarc_rua = p.dmarc_rua,
		.sts_mode = p.sts_mode,
		.sts_id = p.sts_id,
		.tls_rua = p.tls_rua,
		.ca = conf->certificate_issuer,
		.backup_mx = conf->backup_mx,
		.has_https = conf->listen[CONF_HTTPS].n > 0,
		.spki_sha256 = certificate.spki_sha256,
		.tlsa = certificate.tlsa,
		.tlsa_count = certificate.tlsa_count,
		.names = certificate.names,
		.name_count = certificate.name_count,
	};
	out->ports[RECORDS_SUBMISSIONS] = port_of(conf, CONF_SUBMISSIONS);
	out->ports[RECORDS_SUBMISSION] = port_of(conf, CONF_SUBMISSION);
	out->ports[RECORDS_IMAPS] = port_of(conf, CONF_IMAPS);
	out->ports[RECORDS_IMAP] = port_of(conf, CONF_IMAP);
	out->ports[RECORDS_POP3S] = port_of(conf, CONF_POP3S);
	out->ports[RECORDS_POP3] = port_of(conf, CONF_POP3);
	for (size_t i = 0; i < conf->listen[CONF_SMTP].n; i++)
		out->listens_v6 |= conf->listen[CONF_SMTP].p[i].family == ADDR_V6;
	return OK;
}

/* --- as JSON ------------------------------------------------------------------------ */

size_t
domain_records_ips(struct str facts, struct addr *out, size_t max)
{
	const struct json_value *list;
	struct json *doc = NULL;
	size_t n = 0;

	if (!facts.n || json_parse(facts, &doc, NULL) != OK)
		return 0;
	list = json_find(json_root(doc), "ips");
	for (size_t i = 0; i < json_count(list) && n < max; i++) {
		struct str ip;

		if (json_get_str(json_at(list, i), &ip) && addr_parse_ip(ip, &out[n]))
			n++;
	}
	json_free(&doc);
	return n;
}

void
domain_records_facts(const struct addr *ips, size_t count, struct strbuf *out)
{
	struct json_out j = json_out_on(out);
	char text[ADDR_TEXT_MAX];

	json_open_object(&j, NULL);
	json_open_array(&j, "ips");
	for (size_t i = 0; i < count; i++)
		json_str(&j, NULL, addr_ip_text(&ips[i], &text));
	json_close_array(&j);
	json_close_object(&j);
}

static void
write_values(struct json_out *j, const char *key, const struct str *values, size_t count)
{
	json_open_array(j, key);
	for (size_t i = 0; i < count; i++)
		json_str(j, NULL, values[i]);
	json_close_array(j);
}

/* The same as a person enters it where the form wants TXT in pieces. */
static void
write_text(struct json_out *j, const struct record_row *row)
{
	struct strbuf b = strbuf_heap(4 * RECORDS_VALUE_MAX);

	json_open_array(j, "master");
	for (size_t i = 0; i < row->expected_count; i++) {
		strbuf_clear(&b);
		records_value_format(row->type, row->priority, row->expected[i], &b);
		json_str(j, NULL, strbuf_str(&b));
	}
	json_close_array(j);
	strbuf_release(&b);
}

void
domain_records_row(struct json_out *j, const struct record_row *row)
{
	char name[DNS_FULL_NAME_MAX];
	struct strbuf b = strbuf_on(name);

	strbuf_printf(&b, "%.*s.", STR_ARG(row->name));
	json_str(j, "key", row->key);
	json_cstr(j, "need", record_need_word(row->need));
	json_cstr(j, "type", dns_type_word(row->type));
	json_str(j, "name", strbuf_str(&b));
	json_str_or_null(j, "relative", row->relative);
	if (row->priority >= 0)
		json_i64(j, "priority", row->priority);
	else
		json_out_null(j, "priority");
	write_values(j, "expected", row->expected, row->expected_count);
	write_text(j, row);
	write_values(j, "found", row->found, row->found_count);
	json_cstr(j, "state", record_state_word(row->state));
	json_cstr(j, "cause", record_cause_word(row->cause));
	json_cstr(j, "reason", record_cause_text(row->cause));
	json_str(j, "detail", row->detail);
	json_cstr(j, "owner", record_cause_owner(row->cause));
	json_cstr(j, "why", row->why);
	json_i64(j, "ttl_s", row->ttl_s);
	json_i64(j, "servers_ok", row->servers_ok);
	json_i64(j, "servers_total", row->servers_total);
	json_i64(j, "servers_silent", row->servers_silent);
	json_i64(j, "cached_s", row->cached_s);
}

/* --- from JSON ---------------------------------------------------------------------- */

static const struct str *
read_values(const struct json_value *list, struct arena *a, size_t *count_out)
{
	size_t n = json_count(list) < RECORDS_VALUES_MAX ? json_count(list)
	                                                 : RECORDS_VALUES_MAX;
	struct str *values = ARENA_ARRAY(a, struct str, n + 1), s;

	*count_out = 0;
	for (size_t i = 0; i < n; i++) {
		if (json_get_str(json_at(list, i), &s))
			values[(*count_out)++] = arena_str(a, s);
	}
	return values;
}

static unsigned
number_of(const struct json_value *v, const char *key)
{
	int64_t n = 0;

	(void)json_get_i64(json_find(v, key), &n);
	return n > 0 && n <= INT32_MAX ? (unsigned)n : 0;
}

static bool
is_same(const struct record_row *row, const struct str *values, size_t count)
{
	if (row->expected_count != count)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!str_eq(row->expected[i], values[i]))
			return false;
	}
	return true;
}

void
domain_records_take(struct record_row *row, const struct dns_row *stored, struct arena *a)
{
	const struct json_value *v;
	const struct str *expected;
	struct json *doc = NULL;
	size_t count;

	if (json_parse(stored->body, &doc, NULL) != OK)
		return;
	v = json_root(doc);
	row->found = read_values(json_find(v, "found"), a, &row->found_count);
	expected = read_values(json_find(v, "expected"), a, &count);
	/* What is to be published has changed since: that look is no word about it. SPF
	   is the exception, its text is made from what was found. */
	if (str_eq(row->key, STR("spf")) || is_same(row, expected, count)) {
		row->expected = expected;
		row->expected_count = count;
		row->state = record_state_find(stored->state);
		row->cause = record_cause_find(stored->cause);
		row->detail = text_of(v, "detail", str_from(NULL), a);
		row->ttl_s = number_of(v, "ttl_s");
		row->servers_ok = number_of(v, "servers_ok");
		row->servers_total = number_of(v, "servers_total");
		row->servers_silent = number_of(v, "servers_silent");
		row->cached_s = number_of(v, "cached_s");
	}
	json_free(&doc);
}
