#include "store/queue_row.h"

#include "base/panic.h"
#include "store/head.h"

void
queue_row_read(struct stmt *s, struct queue_item *item)
{
	struct message_head head = { 0 };
	int c = 0;

	*item = (struct queue_item){ .id = db_u64(s, c++) };
	item->message_id = db_u64(s, c++);
	item->trace_id = db_str(s, c++);
	item->sender = db_str(s, c++);
	item->rcpt = db_str(s, c++);
	item->domain = db_str(s, c++);
	item->state = db_u32(s, c++);
	item->wish = db_u32(s, c++);
	item->attempts = db_u32(s, c++);
	item->created_ms = db_i64(s, c++);
	item->due_ms = db_i64(s, c++);
	item->expires_ms = db_i64(s, c++);
	item->last_attempt_ms = db_i64(s, c++);
	item->lease_until_ms = db_i64(s, c++);
	item->delay_warned_ms = db_i64(s, c++);
	item->last_class = db_str(s, c++);
	item->last_code = db_u32(s, c++);
	item->last_enhanced = db_str(s, c++);
	item->last_text = db_str(s, c++);
	item->last_host = db_str(s, c++);
	item->last_ip = db_str(s, c++);
	item->notify = db_u32(s, c++);
	item->ret = db_u32(s, c++);
	item->orcpt = db_str(s, c++);
	item->envid = db_str(s, c++);
	item->forward_domain = db_str(s, c++);
	item->sharer = db_str(s, c++);
	item->version = db_u64(s, c++);
	item->ref.segment = db_u64(s, c++);
	item->ref.offset = db_u64(s, c++);
	item->ref.stored_bytes = db_u64(s, c++);
	item->ref.size = db_u64(s, c++);
	item->ref.codec = db_u32(s, c++);
	item->ref.sha256 = db_str(s, c++);
	item->prefix_len = db_u32(s, c++);
	item->message_flags = db_u32(s, c++);
	head_fields_unpack(db_str(s, c), &head);
	item->subject = head.subject;
	item->message_id_field = head.message_id;
}

enum err
queue_row_try_keep(struct queue_item *item, struct arena *a)
{
	struct str *all[] = {
		&item->trace_id,   &item->sender,
		&item->rcpt,       &item->domain,
		&item->last_class, &item->last_enhanced,
		&item->last_text,  &item->last_host,
		&item->last_ip,    &item->orcpt,
		&item->envid,      &item->forward_domain,
		&item->subject,    &item->message_id_field,
		&item->ref.sha256, &item->sharer,
	};

	return head_keep(all, ARRAY_LEN(all), a);
}

void
queue_row_keep(struct queue_item *item, struct arena *a)
{
	if (queue_row_try_keep(item, a) != OK)
		PANIC("arena over its budget");
}
