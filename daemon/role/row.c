#include "role/row.h"

#include "base/pack.h"
#include "base/panic.h"
#include "io/sandbox.h"

#define ROLE(name_, count_, unix_, tls_, inet_, paths_)                                  \
	int role_##name_##_main(struct role *r);                                         \
	static int64_t name_##_count(const struct conf *conf)                            \
	{                                                                                \
		(void)conf;                                                              \
		return count_;                                                           \
	}
#include "role/roles.def"
#undef ROLE

static const struct role_row rows[] = {
#define ROLE(name_, count_, unix_, tls_, inet_, paths_)                                  \
	{ .name = #name_,                                                                \
	  .count = name_##_count,                                                        \
	  .unix_socket = unix_,                                                          \
	  .has_tls = tls_,                                                               \
	  .inet = inet_,                                                                 \
	  .paths = paths_,                                                               \
	  .main = role_##name_##_main },
#include "role/roles.def"
#undef ROLE
	{ 0 },
};

size_t
role_row_count(void)
{
	return ARRAY_LEN(rows) - 1;
}

const struct role_row *
role_row_at(size_t i)
{
	return &rows[i];
}

const struct role_row *
role_row_find(struct str name)
{
	for (size_t i = 0; i < role_row_count(); i++) {
		if (str_eq(name, str_from(rows[i].name)))
			return &rows[i];
	}
	return NULL;
}

bool
role_row_wants_roots(const struct role_row *row)
{
	return row->inet == INET_ALL || str_eq(str_from(row->name), STR("web"));
}

bool
role_row_path(struct str *rest, const struct conf *conf, struct strbuf *path,
              unsigned *right_out)
{
	struct str word, base = conf->data_dir;

	if (!str_next(rest, ' ', &word))
		return false;
	CHECK(word.n > 2 && word.p[1] == ':');
	*right_out = word.p[0] == 'w' ? SANDBOX_WRITE : SANDBOX_READ;
	word = str_from_offset(word, 2);
	if (!str_skip(&word, STR("data"))) {
		CHECK(str_skip(&word, STR("run")));
		base = conf->run_dir;
	}
	strbuf_add(path, base);
	strbuf_add(path, word);
	(void)strbuf_cstr(path);
	return true;
}

static void
add_port(struct role_reach *r, int64_t port)
{
	if (r->port_count < ROLE_PORTS_MAX)
		r->ports[r->port_count++] = (uint16_t)port;
}

/* The ports of names, or of mail transfer and policies as well, and what the
   configuration adds. */
void
role_row_reach(const struct role_row *row, const struct conf *conf,
               struct role_reach *out)
{
	static const uint16_t usual[] = { 25, 443, 465, 587 };

	*out = (struct role_reach){ 0 };
	if (row->inet == INET_NONE)
		return;
	add_port(out, 53);
	if (row->inet == INET_ALL) {
		for (size_t i = 0; i < ARRAY_LEN(usual); i++)
			add_port(out, usual[i]);
		add_port(out, conf->delivery_port);
		out->want_source = conf->delivery_source.n > 0;
	}
	for (size_t i = 0; i < conf->dns_servers.n; i++)
		add_port(out, conf->dns_servers.p[i].port);
}

static bool
has_port(const struct role_reach *r, uint16_t port)
{
	for (size_t i = 0; i < r->port_count; i++) {
		if (r->ports[i] == port)
			return true;
	}
	return false;
}

static bool
has_ports_of(const struct role_reach *a, const struct role_reach *b)
{
	for (size_t i = 0; i < b->port_count; i++) {
		if (!has_port(a, b->ports[i]))
			return false;
	}
	return true;
}

bool
role_reach_eq(const struct role_reach *a, const struct role_reach *b)
{
	return a->want_source == b->want_source && has_ports_of(a, b) &&
	       has_ports_of(b, a);
}

static void
pack_addr(struct strbuf *out, const struct addr *a)
{
	pack_u8(out, (uint8_t)a->family);
	pack_u16(out, a->port);
	pack_str(out, str_make(a->ip, sizeof(a->ip)));
}

static void
unpack_addr(struct unpack *u, struct addr *a)
{
	uint8_t family = unpack_u8(u);
	struct str ip;

	*a = (struct addr){ .port = unpack_u16(u) };
	ip = unpack_str(u);
	if (family > ADDR_V6 || ip.n != sizeof(a->ip)) {
		u->bad = true;
		return;
	}
	a->family = (enum addr_family)family;
	memcpy(a->ip, ip.p, ip.n);
}

void
role_start_pack(const struct role_start *s, struct strbuf *out)
{
	pack_str(out, s->conf_path);
	pack_str(out, s->conf_text);
	pack_str(out, s->certificate_pem);
	pack_str(out, s->key_pem);
	pack_str(out, s->roots_pem);
	pack_i64(out, s->unix_fd);
	pack_u32(out, (uint32_t)s->listener_count);
	for (size_t i = 0; i < s->listener_count; i++) {
		pack_u8(out, (uint8_t)s->listeners[i].protocol);
		pack_i64(out, s->listeners[i].fd);
		pack_addr(out, &s->listeners[i].addr);
	}
}

bool
role_start_unpack(struct str bytes, struct role_start *s)
{
	struct unpack u = unpack_from(bytes);

	*s = (struct role_start){ 0 };
	s->conf_path = unpack_str(&u);
	s->conf_text = unpack_str(&u);
	s->certificate_pem = unpack_str(&u);
	s->key_pem = unpack_str(&u);
	s->roots_pem = unpack_str(&u);
	s->unix_fd = (int)unpack_i64(&u);
	s->listener_count = unpack_u32(&u);
	if (s->listener_count > ARRAY_LEN(s->listeners))
		return false;
	for (size_t i = 0; i < s->listener_count && !u.bad; i++) {
		uint8_t protocol = unpack_u8(&u);

		s->listeners[i].fd = (int)unpack_i64(&u);
		unpack_addr(&u, &s->listeners[i].addr);
		if (protocol >= CONF_PROTOCOL_COUNT)
			return false;
		s->listeners[i].protocol = (enum conf_protocol)protocol;
	}
	return unpack_done(&u);
}

void
role_peer_pack(const struct role_peer *p, struct strbuf *out)
{
	pack_i64(out, p->pid);
	pack_str(out, p->role);
}

bool
role_peer_unpack(struct str bytes, struct role_peer *p)
{
	struct unpack u = unpack_from(bytes);

	p->pid = (int)unpack_i64(&u);
	p->role = unpack_str(&u);
	return unpack_done(&u);
}
