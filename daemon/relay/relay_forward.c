/* What an alias sends on to another server: its sender becomes an address of ours, so
 * that SPF passes there, and notifications find their way back (policy/srs.h).
 *
 * Done for each attempt, not when the mail is accepted: the row keeps the true sender,
 * whom our own notifications go to, and the day in the address is the day it is sent.
 */
#include "relay/relay_forward.h"

#include "base/clock.h"
#include "mail/address.h"
#include "policy/srs.h"
#include "relay/relay_event.h"
#include "relay/relay_priv.h"

static bool
is_foreign(struct relay *r, struct str sender)
{
	char bytes[ADDRESS_KEY_MAX];
	struct strbuf domain = strbuf_on(bytes);
	size_t at = str_find_last(sender, '@');

	return at != SIZE_MAX &&
	       domain_normalize(str_from_offset(sender, at + 1), &domain) == OK &&
	       reader_is_local_domain(r->reader, strbuf_str(&domain)) == ERR_NOT_FOUND;
}

struct str
relay_forward_sender(struct relay *r, const struct queue_item *item, struct arena *a)
{
	struct srs_conf conf = { .domain = item->forward_domain,
		                 .now_ms = clock_unix_ms() };
	struct strbuf out = strbuf_arena(a, (size_t)2 * ADDRESS_MAX);

	if (!item->sender.n || !item->forward_domain.n || !is_foreign(r, item->sender))
		return item->sender;
	if (reader_srs_secret(r->reader, a, &conf.secret) != OK)
		return item->sender;
	/* A long one stays: better without SPF than not at all. */
	if (srs_forward(&conf, item->sender, &out) != OK)
		return item->sender;
	relay_tell_rewritten(item, strbuf_str(&out));
	return strbuf_str(&out);
}
