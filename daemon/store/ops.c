#include "store/ops.h"

#include "base/arena.h"
#include "base/mem.h"
#include "base/pack.h"
#include "base/panic.h"

#include <stdalign.h>

/* Each struct that travels has a layout: its members in order. Packing and unpacking walk
   it, so no struct has code of its own. An array is a pointer member followed by its
   count; the layout of its elements tells their size. */
enum member_kind {
	MEMBER_BOOL,
	MEMBER_U32,
	MEMBER_U64,
	MEMBER_I64,
	MEMBER_STR,
	MEMBER_STRUCT,
	MEMBER_ARRAY,
};

struct layout;

struct member {
	uint8_t kind;
	uint16_t at, count_at;
	const struct layout *of; /* STRUCT, ARRAY */
};

struct layout {
	size_t size;
	size_t count;
	const struct member *members;
};

enum {
	NESTING_MAX = 6,
	ARRAY_MAX = 4 * 1000 * 1000,
};

#define KIND(x)                                                                          \
	_Generic((x), bool                                                               \
	         : MEMBER_BOOL, uint32_t                                                 \
	         : MEMBER_U32, uint64_t                                                  \
	         : MEMBER_U64, int64_t                                                   \
	         : MEMBER_I64, struct str                                                \
	         : MEMBER_STR)

#define M(type, m)                                                                       \
	{                                                                                \
		KIND(((struct type *)0)->m), offsetof(struct type, m), 0, NULL           \
	}
#define S(type, m, layout)                                                               \
	{                                                                                \
		MEMBER_STRUCT, offsetof(struct type, m), 0, &(layout)                    \
	}
#define A(type, m, layout)                                                               \
	{                                                                                \
		MEMBER_ARRAY, offsetof(struct type, m),                                  \
			offsetof(struct type, m##_count), &(layout)                      \
	}

#define LAYOUT(name, ...)                                                                \
	static const struct member name##_members[] = { __VA_ARGS__ };                   \
	static const struct layout name##_layout = { sizeof(struct name),                \
		                                     ARRAY_LEN(name##_members),          \
		                                     name##_members }

/* Elements that are plain values. */
static const struct member u32_members[] = { { MEMBER_U32, 0, 0, NULL } };
static const struct layout u32_layout = { sizeof(uint32_t), 1, u32_members };
static const struct member u64_members[] = { { MEMBER_U64, 0, 0, NULL } };
static const struct layout u64_layout = { sizeof(uint64_t), 1, u64_members };
static const struct member str_members[] = { { MEMBER_STR, 0, 0, NULL } };
static const struct layout str_layout = { sizeof(struct str), 1, str_members };

/* clang-format off */
LAYOUT(actor, M(actor, name), M(actor, ip), M(actor, request_id));
LAYOUT(uid_range, M(uid_range, first), M(uid_range, last));
LAYOUT(body_ref, M(body_ref, segment), M(body_ref, offset), M(body_ref, stored_bytes),
	M(body_ref, size), M(body_ref, codec), M(body_ref, sha256));
LAYOUT(message_head, M(message_head, envelope), M(message_head, body),
	M(message_head, bodystructure), M(message_head, parts), M(message_head, from),
	M(message_head, to), M(message_head, cc), M(message_head, subject),
	M(message_head, preview), M(message_head, from_address),
	M(message_head, subject_base), M(message_head, message_id),
	M(message_head, in_reply_to), M(message_head, references),
	M(message_head, date_ms), M(message_head, date_zone),
	M(message_head, header_bytes), M(message_head, flags));
LAYOUT(new_body, S(new_body, ref, body_ref_layout), S(new_body, head, message_head_layout),
	M(new_body, prefix_len), M(new_body, record));

LAYOUT(accept_rcpt, M(accept_rcpt, kind), M(accept_rcpt, rcpt), M(accept_rcpt, orig_rcpt),
	M(accept_rcpt, account_id), M(accept_rcpt, mailbox), M(accept_rcpt, flags),
	M(accept_rcpt, domain), M(accept_rcpt, notify), M(accept_rcpt, orcpt),
	M(accept_rcpt, is_loop), M(accept_rcpt, is_expanded));
LAYOUT(op_accept, M(op_accept, trace_id), M(op_accept, session_id), M(op_accept, direction),
	M(op_accept, sender), M(op_accept, ip), M(op_accept, helo), M(op_accept, user),
	S(op_accept, body, new_body_layout), M(op_accept, all_or_none), M(op_accept, ret),
	M(op_accept, envid), M(op_accept, due_ms), M(op_accept, expires_ms),
	A(op_accept, rcpts, accept_rcpt_layout));
LAYOUT(accept_result, M(accept_result, error), M(accept_result, mailbox_id),
	M(accept_result, uidvalidity), M(accept_result, uid), M(accept_result, queue_id));
LAYOUT(answer_accept, M(answer_accept, message_id),
	A(answer_accept, results, accept_result_layout));

LAYOUT(append_message, S(append_message, body, new_body_layout), M(append_message, flags),
	A(append_message, keywords, str_layout), M(append_message, internal_date_ms));
LAYOUT(op_append, M(op_append, account_id), M(op_append, mailbox_id),
	A(op_append, messages, append_message_layout), M(op_append, work),
	M(op_append, is_continued), M(op_append, is_more));
LAYOUT(answer_append, M(answer_append, uidvalidity), A(answer_append, uids, u32_layout));

LAYOUT(op_flags, M(op_flags, account_id), M(op_flags, mailbox_id),
	A(op_flags, uids, uid_range_layout), M(op_flags, mode), M(op_flags, flags),
	A(op_flags, keywords, str_layout), M(op_flags, has_unchanged_since),
	M(op_flags, unchanged_since));
LAYOUT(flags_row, M(flags_row, uid), M(flags_row, flags), M(flags_row, modseq),
	M(flags_row, prior_modseq));
LAYOUT(answer_flags, A(answer_flags, rows, flags_row_layout),
	A(answer_flags, failed, u32_layout), M(answer_flags, highestmodseq), M(answer_flags, own_modseq),
	M(answer_flags, has_new_keywords), M(answer_flags, next_uid));

LAYOUT(op_copy, M(op_copy, account_id), M(op_copy, mailbox_id), M(op_copy, to_mailbox_id),
	A(op_copy, uids, uid_range_layout), M(op_copy, is_move), M(op_copy, work),
	M(op_copy, is_continued));
LAYOUT(answer_copy, M(answer_copy, uidvalidity), A(answer_copy, from_uids, u32_layout),
	A(answer_copy, to_uids, u32_layout), M(answer_copy, next_uid));
LAYOUT(op_staged_undo, M(op_staged_undo, work));
LAYOUT(answer_renamed, M(answer_renamed, from_mailbox_id), M(answer_renamed, to_mailbox_id),
	M(answer_renamed, next_uid), M(answer_renamed, last_uid));
LAYOUT(op_expunge, M(op_expunge, account_id), M(op_expunge, mailbox_id),
	A(op_expunge, uids, uid_range_layout), M(op_expunge, all_flags));
LAYOUT(answer_expunge, A(answer_expunge, uids, u32_layout), M(answer_expunge, highestmodseq),
	M(answer_expunge, next_uid));

LAYOUT(op_mailbox_create, M(op_mailbox_create, account_id), M(op_mailbox_create, name),
	M(op_mailbox_create, special_use));
LAYOUT(answer_mailbox, M(answer_mailbox, mailbox_id), M(answer_mailbox, uidvalidity));
LAYOUT(op_mailbox_purge, M(op_mailbox_purge, mailbox_id));
LAYOUT(op_mailbox_remove, M(op_mailbox_remove, account_id), M(op_mailbox_remove, name));
LAYOUT(op_mailbox_rename, M(op_mailbox_rename, account_id), M(op_mailbox_rename, from),
	M(op_mailbox_rename, to));
LAYOUT(op_subscribe, M(op_subscribe, account_id), M(op_subscribe, name),
	M(op_subscribe, subscribed));
LAYOUT(op_recent, M(op_recent, account_id), M(op_recent, mailbox_id));
LAYOUT(answer_recent, M(answer_recent, recent_uid));

LAYOUT(op_queue_claim, A(op_queue_claim, ids, u64_layout), M(op_queue_claim, domain),
	M(op_queue_claim, now_ms), M(op_queue_claim, limit), M(op_queue_claim, lease_ms),
	M(op_queue_claim, is_attempt));
LAYOUT(queue_item, M(queue_item, id), M(queue_item, message_id), M(queue_item, trace_id),
	M(queue_item, sender), M(queue_item, rcpt), M(queue_item, domain),
	M(queue_item, state), M(queue_item, attempts), M(queue_item, created_ms),
	M(queue_item, due_ms), M(queue_item, expires_ms), M(queue_item, last_attempt_ms),
	M(queue_item, lease_until_ms), M(queue_item, delay_warned_ms),
	M(queue_item, last_class), M(queue_item, last_code), M(queue_item, last_enhanced),
	M(queue_item, last_text), M(queue_item, last_host), M(queue_item, last_ip),
	M(queue_item, notify), M(queue_item, ret), M(queue_item, orcpt),
	M(queue_item, envid), M(queue_item, forward_domain), M(queue_item, sharer),
	M(queue_item, subject), M(queue_item, message_id_field),
	S(queue_item, ref, body_ref_layout), M(queue_item, prefix_len),
	M(queue_item, message_flags), M(queue_item, version));
LAYOUT(answer_queue, A(answer_queue, items, queue_item_layout));
LAYOUT(op_queue_attempt, A(op_queue_attempt, ids, u64_layout), M(op_queue_attempt, now_ms),
	M(op_queue_attempt, lease_ms));
LAYOUT(queue_outcome_row, M(queue_outcome_row, id), M(queue_outcome_row, outcome),
	M(queue_outcome_row, due_ms), M(queue_outcome_row, class), M(queue_outcome_row, code),
	M(queue_outcome_row, enhanced), M(queue_outcome_row, text),
	M(queue_outcome_row, host), M(queue_outcome_row, ip),
	M(queue_outcome_row, delay_warned), M(queue_outcome_row, is_report),
	M(queue_outcome_row, dsn), M(queue_outcome_row, told));
LAYOUT(op_queue_result, M(op_queue_result, now_ms),
	A(op_queue_result, rows, queue_outcome_row_layout),
	A(op_queue_result, notifications, op_accept_layout));
LAYOUT(op_queue_release, M(op_queue_release, now_ms));
LAYOUT(answer_count, M(answer_count, count));
LAYOUT(op_queue_action, S(op_queue_action, actor, actor_layout),
	A(op_queue_action, ids, u64_layout), M(op_queue_action, verb),
	M(op_queue_action, due_ms), M(op_queue_action, now_ms),
	M(op_queue_action, if_version));

LAYOUT(op_auth, M(op_auth, kind), M(op_auth, protocol), M(op_auth, name),
	M(op_auth, password), M(op_auth, ip), M(op_auth, session_id));
LAYOUT(answer_auth, M(answer_auth, id), M(answer_auth, address), M(answer_auth, role));
LAYOUT(op_domain_put, S(op_domain_put, actor, actor_layout), M(op_domain_put, name),
	M(op_domain_put, enabled), M(op_domain_put, incoming),
	M(op_domain_put, if_absent), M(op_domain_put, if_version));
LAYOUT(op_domain_remove, S(op_domain_remove, actor, actor_layout), M(op_domain_remove, name),
	M(op_domain_remove, with_accounts), M(op_domain_remove, if_version));
LAYOUT(op_account_create, S(op_account_create, actor, actor_layout),
	M(op_account_create, address), M(op_account_create, password),
	M(op_account_create, display_name), M(op_account_create, quota_bytes));
LAYOUT(op_account_update, S(op_account_update, actor, actor_layout),
	M(op_account_update, address), M(op_account_update, fields),
	M(op_account_update, display_name), M(op_account_update, quota_bytes),
	M(op_account_update, state), M(op_account_update, if_version));
LAYOUT(op_account_password, S(op_account_password, actor, actor_layout),
	M(op_account_password, address), M(op_account_password, password));
LAYOUT(op_account_remove, S(op_account_remove, actor, actor_layout),
	M(op_account_remove, address), M(op_account_remove, if_version));
LAYOUT(op_alias_put, S(op_alias_put, actor, actor_layout), M(op_alias_put, address),
	A(op_alias_put, targets, str_layout), M(op_alias_put, enabled),
	M(op_alias_put, if_absent), M(op_alias_put, if_version));
LAYOUT(op_alias_remove, S(op_alias_remove, actor, actor_layout), M(op_alias_remove, address),
	M(op_alias_remove, if_version));
LAYOUT(op_admin_create, S(op_admin_create, actor, actor_layout), M(op_admin_create, name),
	M(op_admin_create, password), M(op_admin_create, role));
LAYOUT(op_admin_update, S(op_admin_update, actor, actor_layout), M(op_admin_update, name),
	M(op_admin_update, role), M(op_admin_update, enabled), M(op_admin_update, if_version));
LAYOUT(op_admin_password, S(op_admin_password, actor, actor_layout),
	M(op_admin_password, name), M(op_admin_password, password));
LAYOUT(op_admin_remove, S(op_admin_remove, actor, actor_layout), M(op_admin_remove, name));
LAYOUT(op_token_create, S(op_token_create, actor, actor_layout), M(op_token_create, name),
	M(op_token_create, hash), M(op_token_create, scopes), M(op_token_create, domains),
	M(op_token_create, networks), M(op_token_create, admin_id),
	M(op_token_create, expires_ms));
LAYOUT(op_token_revoke, S(op_token_revoke, actor, actor_layout), M(op_token_revoke, id));
LAYOUT(op_sts_put, M(op_sts_put, domain), M(op_sts_put, policy_id), M(op_sts_put, body),
       M(op_sts_put, fetched_ms), M(op_sts_put, expires_ms));
LAYOUT(op_sts_failed, M(op_sts_failed, domain), M(op_sts_failed, fault),
       M(op_sts_failed, at_ms));
LAYOUT(op_sts_ask, M(op_sts_ask, domain));
LAYOUT(op_host_ask, M(op_host_ask, name));
LAYOUT(op_host_mute, S(op_host_mute, actor, actor_layout), M(op_host_mute, name),
	M(op_host_mute, is_muted));
LAYOUT(op_host_result, M(op_host_result, name), M(op_host_result, state),
       M(op_host_result, cause), M(op_host_result, body), M(op_host_result, runs),
       M(op_host_result, text), M(op_host_result, checked_ms), M(op_host_result, next_ms),
       M(op_host_result, basis));
LAYOUT(op_token_used, M(op_token_used, id), M(op_token_used, at_ms), M(op_token_used, ip));
LAYOUT(op_session_create, S(op_session_create, actor, actor_layout),
	M(op_session_create, admin_id), M(op_session_create, hash), M(op_session_create, csrf),
	M(op_session_create, ip), M(op_session_create, user_agent),
	M(op_session_create, expires_ms));
LAYOUT(op_session_touch, M(op_session_touch, id), M(op_session_touch, used_ms),
	M(op_session_touch, expires_ms), M(op_session_touch, step_up_ms));
LAYOUT(op_session_remove, S(op_session_remove, actor, actor_layout),
	M(op_session_remove, id));
LAYOUT(setting_new, M(setting_new, key), M(setting_new, value));
LAYOUT(op_settings_put, S(op_settings_put, actor, actor_layout),
	A(op_settings_put, items, setting_new_layout), M(op_settings_put, of_one),
	M(op_settings_put, if_version));
LAYOUT(op_api_begin, M(op_api_begin, name), M(op_api_begin, print), M(op_api_begin, deed),
	M(op_api_begin, epoch),
	M(op_api_begin, keep_since_ms));
LAYOUT(answer_api, M(answer_api, again), M(answer_api, status), M(answer_api, headers),
	M(answer_api, body), M(answer_api, has_deeds));
LAYOUT(op_api_end, M(op_api_end, name), M(op_api_end, deed), M(op_api_end, status), M(op_api_end, headers),
	M(op_api_end, body));
LAYOUT(answer_id, M(answer_id, id), M(answer_id, version));

LAYOUT(op_events, M(op_events, events), M(op_events, count));
LAYOUT(op_segment_open, M(op_segment_open, unused));
LAYOUT(answer_segment, M(answer_segment, segment));
LAYOUT(op_segment_seal, M(op_segment_seal, segment), M(op_segment_seal, size));
LAYOUT(op_subscribe_feed, M(op_subscribe_feed, all_accounts), M(op_subscribe_feed, queue),
	M(op_subscribe_feed, settings), M(op_subscribe_feed, events),
	A(op_subscribe_feed, accounts, u64_layout));
LAYOUT(op_stats, M(op_stats, unused));
LAYOUT(answer_stats, M(answer_stats, started_ms), M(answer_stats, operations),
	M(answer_stats, batches), M(answer_stats, syncs), M(answer_stats, written_max), M(answer_stats, disk_free_bytes),
	M(answer_stats, disk_reserve_bytes), M(answer_stats, disk_full),
	M(answer_stats, index_damaged),
	M(answer_stats, messages), M(answer_stats, message_bytes),
	M(answer_stats, journal_rows));
LAYOUT(answer_none, M(answer_none, unused));
LAYOUT(op_login_noted, M(op_login_noted, kind), M(op_login_noted, id),
	M(op_login_noted, at_ms));
LAYOUT(report_count, M(report_count, kind), M(report_count, day), M(report_count, domain),
	M(report_count, policy), M(report_count, rua), M(report_count, body),
	M(report_count, count));
LAYOUT(outside_seen, M(outside_seen, service), M(outside_seen, ip),
	M(outside_seen, at_ms));
LAYOUT(op_journal_trim, M(op_journal_trim, up_to),
	A(op_journal_trim, counts, report_count_layout),
	A(op_journal_trim, seen, outside_seen_layout));
LAYOUT(op_segment_state, M(op_segment_state, segment), M(op_segment_state, from),
	M(op_segment_state, to));
LAYOUT(op_segment_moved, M(op_segment_moved, from), M(op_segment_moved, to),
	A(op_segment_moved, ids, u64_layout), A(op_segment_moved, places, u64_layout));
LAYOUT(op_segment_drop, M(op_segment_drop, segment));
LAYOUT(op_dkim_key_create, S(op_dkim_key_create, actor, actor_layout),
	M(op_dkim_key_create, domain), M(op_dkim_key_create, selector),
	M(op_dkim_key_create, algorithm), M(op_dkim_key_create, is_published),
	M(op_dkim_key_create, auto_activate), M(op_dkim_key_create, if_none),
	M(op_dkim_key_create, file), M(op_dkim_key_create, public_key));
LAYOUT(op_dkim_key_state, S(op_dkim_key_state, actor, actor_layout),
	M(op_dkim_key_state, id), M(op_dkim_key_state, state),
	M(op_dkim_key_state, is_emergency), M(op_dkim_key_state, if_version));
LAYOUT(op_dkim_key_remove, S(op_dkim_key_remove, actor, actor_layout),
	M(op_dkim_key_remove, id), M(op_dkim_key_remove, if_version));
LAYOUT(op_dkim_key_checked, M(op_dkim_key_checked, id), M(op_dkim_key_checked, servers_ok),
	M(op_dkim_key_checked, servers_total), M(op_dkim_key_checked, at_ms));
LAYOUT(op_dns_ask, M(op_dns_ask, domain));
LAYOUT(op_dns_again, M(op_dns_again, at_ms));
LAYOUT(dns_row_new, M(dns_row_new, name), M(dns_row_new, state), M(dns_row_new, cause),
	M(dns_row_new, body));
LAYOUT(op_dns_result, M(op_dns_result, domain), M(op_dns_result, checked_ms),
	M(op_dns_result, next_ms), M(op_dns_result, servers), M(op_dns_result, facts),
	A(op_dns_result, rows, dns_row_new_layout));
LAYOUT(op_dns_mute, S(op_dns_mute, actor, actor_layout), M(op_dns_mute, domain),
	M(op_dns_mute, name), M(op_dns_mute, is_muted));
LAYOUT(op_domain_policy_put, S(op_domain_policy_put, actor, actor_layout),
	M(op_domain_policy_put, domain), M(op_domain_policy_put, name),
	M(op_domain_policy_put, value), M(op_domain_policy_put, if_version));
LAYOUT(received_report, M(received_report, kind), M(received_report, is_proven),
	M(received_report, sender), M(received_report, name), M(received_report, reporter),
	M(received_report, about), M(received_report, begin_ms), M(received_report, end_ms),
	M(received_report, good), M(received_report, bad), M(received_report, raw_type));
LAYOUT(received_row, M(received_row, source), M(received_row, name), M(received_row, origin),
	M(received_row, domains), M(received_row, count), M(received_row, is_good),
	M(received_row, spf), M(received_row, dkim), M(received_row, done),
	M(received_row, detail));
LAYOUT(op_report_put, M(op_report_put, queue_id),
	S(op_report_put, report, received_report_layout), M(op_report_put, domain),
	M(op_report_put, raw), A(op_report_put, rows, received_row_layout));
LAYOUT(op_report_refuse, M(op_report_refuse, queue_id), M(op_report_refuse, reason),
	M(op_report_refuse, expires_ms), A(op_report_refuse, rcpts, accept_rcpt_layout));
LAYOUT(op_report_drop, A(op_report_drop, ids, u64_layout));
LAYOUT(op_report_made, M(op_report_made, kind), M(op_report_made, day),
	M(op_report_made, domain), M(op_report_made, name), M(op_report_made, rcpts),
	M(op_report_made, reason), M(op_report_made, row_count), M(op_report_made, count),
	M(op_report_made, left_out), M(op_report_made, packed), M(op_report_made, delivered),
	M(op_report_made, failed), M(op_report_made, keep_ms),
	A(op_report_made, mails, op_accept_layout));
/* clang-format on */

static const struct {
	const char *name;
	const struct layout *op, *answer;
} ops[] = {
#define OP(name, answer, way, by)                                                        \
	{ #name, &op_##name##_layout, &answer_##answer##_layout },
#include "store/ops.def"
#undef OP
};
_Static_assert(ARRAY_LEN(ops) == OP_COUNT, "one row for each operation");

const char *
op_name(enum op op)
{
	return op < OP_COUNT ? ops[op].name : "unknown";
}

/* memcpy, because members of elements are reached through their offsets. */
#define GET(type, p) (*(const type *)(const void *)(p))
#define PUT(type, p) (*(type *)(void *)(p))

static void
pack_struct(const struct layout *l, const char *in, struct strbuf *out)
{
	for (const struct member *m = l->members; m < l->members + l->count; m++) {
		const char *p = in + m->at;
		size_t count;

		switch ((enum member_kind)m->kind) {
		case MEMBER_BOOL:
			pack_u8(out, GET(bool, p));
			break;
		case MEMBER_U32:
			pack_u32(out, GET(uint32_t, p));
			break;
		case MEMBER_U64:
			pack_u64(out, GET(uint64_t, p));
			break;
		case MEMBER_I64:
			pack_i64(out, GET(int64_t, p));
			break;
		case MEMBER_STR:
			pack_str(out, GET(struct str, p));
			break;
		case MEMBER_STRUCT:
			pack_struct(m->of, p, out);
			break;
		case MEMBER_ARRAY:
			count = GET(size_t, in + m->count_at);
			CHECK(count <= ARRAY_MAX);
			pack_u32(out, (uint32_t)count);
			p = GET(char *, p);
			for (size_t i = 0; i < count; i++)
				pack_struct(m->of, p + i * m->of->size, out);
			break;
		}
	}
}

static enum err unpack_struct(const struct layout *l, struct unpack *u, struct arena *a,
                              char *out, unsigned depth);

/* Every element takes at least one byte, so a count larger than what is left is a lie and
   costs no memory. */
static enum err
unpack_array(const struct member *m, struct unpack *u, struct arena *a, char *out,
             unsigned depth)
{
	size_t count = unpack_u32(u);
	enum err e = OK;
	char *p;

	if (u->bad || count > u->rest.n || count > ARRAY_MAX)
		return ERR_MALFORMED;
	p = arena_try(a, count ? size_mul(count, m->of->size) : 1);
	if (!p)
		return ERR_LIMIT;
	PUT(char *, out + m->at) = p;
	PUT(size_t, out + m->count_at) = count;
	for (size_t i = 0; i < count && e == OK; i++)
		e = unpack_struct(m->of, u, a, p + i * m->of->size, depth + 1);
	return e;
}

static enum err
unpack_struct(const struct layout *l, struct unpack *u, struct arena *a, char *out,
              unsigned depth)
{
	enum err e = OK;

	CHECK(depth < NESTING_MAX);
	for (const struct member *m = l->members; m < l->members + l->count; m++) {
		char *p = out + m->at;

		switch ((enum member_kind)m->kind) {
		case MEMBER_BOOL:
			PUT(bool, p) = unpack_u8(u) != 0;
			break;
		case MEMBER_U32:
			PUT(uint32_t, p) = unpack_u32(u);
			break;
		case MEMBER_U64:
			PUT(uint64_t, p) = unpack_u64(u);
			break;
		case MEMBER_I64:
			PUT(int64_t, p) = unpack_i64(u);
			break;
		case MEMBER_STR:
			PUT(struct str, p) = unpack_str(u);
			break;
		case MEMBER_STRUCT:
			e = unpack_struct(m->of, u, a, p, depth + 1);
			break;
		case MEMBER_ARRAY:
			e = unpack_array(m, u, a, out, depth);
			break;
		}
		if (e != OK)
			return e;
	}
	return u->bad ? ERR_MALFORMED : OK;
}

static enum err
unpack_whole(const struct layout *l, struct str bytes, struct arena *a, void **out)
{
	struct unpack u = unpack_from(bytes);
	enum err e;

	*out = arena_try(a, l->size);
	if (!*out)
		return ERR_LIMIT;
	e = unpack_struct(l, &u, a, *out, 0);
	return e == OK && !unpack_done(&u) ? ERR_MALFORMED : e;
}

void
op_pack(enum op op, const void *in, struct strbuf *out)
{
	CHECK(op < OP_COUNT);
	pack_struct(ops[op].op, in, out);
}

enum err
op_unpack(enum op op, struct str bytes, struct arena *a, void **op_out)
{
	if (op >= OP_COUNT)
		return ERR_MALFORMED;
	return unpack_whole(ops[op].op, bytes, a, op_out);
}

void
answer_pack(enum op op, const void *in, struct strbuf *out)
{
	CHECK(op < OP_COUNT);
	pack_struct(ops[op].answer, in, out);
}

enum err
answer_unpack(enum op op, struct str bytes, struct arena *a, void **answer_out)
{
	if (op >= OP_COUNT)
		return ERR_MALFORMED;
	return unpack_whole(ops[op].answer, bytes, a, answer_out);
}
