/* Message content, cut in two ways: both must give the same bytes, the same verdict and
 * the same end. The first byte chooses DATA or BDAT and submission or not, the second how
 * the rest is cut. */
#include "base/panic.h"
#include "base/strbuf.h"
#include "smtp/smtp_data.h"
#include "smtp/smtp_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct result {
	struct strbuf body;
	enum err err;
	size_t used;
	bool is_end;
	struct arena *arena;
	struct smtp_head *head;
};

static enum err
take(void *arg, struct str bytes)
{
	struct result *r = arg;

	CHECK(bytes.n);
	strbuf_add(&r->body, bytes);
	return OK;
}

static void
run(struct str in, unsigned how, size_t piece, struct result *r)
{
	struct smtp_head_conf head = { .is_submission = how & 2,
		                       .received_max = 3,
		                       .date = STR("Date: x\r\n"),
		                       .message_id = STR("Message-ID: <x>\r\n") };
	struct smtp_data d;

	*r = (struct result){ .body = strbuf_heap(1 << 22), .arena = arena_new(1 << 16) };
	r->head = smtp_head_new(r->arena, &head, take, r);
	smtp_data_init(&d, how & 1, 5000);
	while (r->used < in.n && !r->is_end) {
		struct str rest = str_first(str_from_offset(in, r->used), piece);
		size_t used =
			smtp_data_input(&d, rest, smtp_head_write, r->head, &r->is_end);

		CHECK(used == rest.n || r->is_end);
		CHECK((how & 1) || !r->is_end);
		r->used += used;
	}
	if (!(how & 1))
		smtp_data_finish(&d, smtp_head_write, r->head);
	if (d.err == OK && (r->is_end || !(how & 1)))
		d.err = smtp_head_finish(r->head);
	r->err = d.err;
}

static void
release(struct result *r)
{
	arena_free(&r->arena);
	strbuf_release(&r->body);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct result whole, cut;
	struct str in;

	if (n < 2)
		return 0;
	in = str_make(data + 2, n - 2);
	run(in, data[0], SIZE_MAX, &whole);
	run(in, data[0], (size_t)data[1] % 32 + 1, &cut);
	CHECK(whole.err == cut.err);
	CHECK(whole.is_end == cut.is_end && whole.used == cut.used);
	if (whole.err == OK) {
		CHECK(str_eq(strbuf_str(&whole.body), strbuf_str(&cut.body)));
		CHECK(str_eq(smtp_head_from(whole.head), smtp_head_from(cut.head)));
		CHECK(smtp_head_from_fields(whole.head) ==
		      smtp_head_from_fields(cut.head));
	}
	/* The end of DATA is CRLF.CRLF, or .CRLF at the very start. */
	if (whole.is_end) {
		struct str upto = str_first(in, whole.used);

		CHECK(str_ends(upto, STR("\r\n.\r\n")) || str_eq(upto, STR(".\r\n")));
	}
	release(&whole);
	release(&cut);
	return 0;
}
