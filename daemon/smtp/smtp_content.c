/* DATA and BDAT: the content, and the end of a transaction.
 *
 *   DATA  -> ask open -> 354 -> content to CRLF.CRLF -------> ask accept -> reply
 *   BDAT  -> ask open (first chunk) -> octets -> 250 … LAST -> ask accept -> reply
 *
 * A refused message is read to its true end, and there is one reply to it.
 */
#include "base/panic.h"
#include "mail/date.h"
#include "mail/received.h"
#include "smtp/smtp_command.h"
#include "smtp/smtp_session_priv.h"

static enum err
write_content(void *arg, struct str bytes)
{
	struct smtp_session *s = arg;

	s->tx->mail.size += bytes.n;
	return s->ops->write(s->ops_arg, bytes);
}

/* What the client sent goes by whoever wants to see it, then through the head's filter. */
static enum err
take_content(void *arg, struct str bytes)
{
	struct smtp_session *s = arg;
	enum err e = s->ops->saw ? s->ops->saw(s->ops_arg, bytes) : OK;

	return e == OK ? smtp_head_write(s->tx->head, bytes) : e;
}

/* ---- beginning ------------------------------------------------------------------- */

/* Received comes first, then what the client sent. Return-Path stands before all of it
   (RFC 5321 4.4), and between them what is found about the message (RFC 8601 4): that is
   known last, so whoever keeps the body puts both in front. */
static enum err
write_stamp(struct smtp_session *s, const struct smtp_answer *opened)
{
	struct smtp_mail *mail = &s->tx->mail;
	struct strbuf text = strbuf_arena(s->tx->arena, 4096);
	struct received r = {
		.helo = s->helo,
		.client_host = s->peer.host.n ? s->peer.host : opened->host,
		.client_ip = s->peer.ip,
		.by = s->conf->hostname,
		.trace_id = id_str(&mail->trace_id),
		.tls = s->tls,
		.is_esmtp = s->is_esmtp,
		.is_tls = s->tls.n > 0,
		.is_auth = s->login.n > 0,
		.is_utf8 = mail->is_utf8,
		.at_ms = opened->now_ms,
	};

	if (mail->rcpt_count == 1)
		r.rcpt = mail->rcpts->text;
	return_path_format(&text, mail->from_text);
	mail->return_path = arena_str(s->tx->arena, strbuf_str(&text));
	strbuf_clear(&text);
	received_format(&text, &r);
	return text.overflow ? ERR_INTERNAL : write_content(s, strbuf_str(&text));
}

static void
begin_content(struct smtp_session *s, const struct smtp_answer *opened, bool has_dots)
{
	struct smtp_transaction *tx = s->tx;
	struct smtp_head_conf conf = {
		.is_submission = s->service == SMTP_SUBMISSION || s->login.n,
		.received_max = s->conf->received_max,
		.authserv_id = s->conf->hostname,
	};

	if (conf.is_submission) {
		struct strbuf date = strbuf_arena(tx->arena, DATE_BYTES + 16);

		strbuf_lit(&date, "Date: ");
		date_format_rfc5322(&date, opened->now_ms, 0);
		strbuf_lit(&date, "\r\n");
		conf.date = strbuf_str(&date);
		conf.message_id =
			arena_printf(tx->arena, "Message-ID: <%s@%.*s>\r\n",
		                     tx->mail.trace_id.text, STR_ARG(s->conf->hostname));
	}
	smtp_data_init(&tx->data, has_dots, s->conf->message_size_max);
	tx->head = smtp_head_new(tx->arena, &conf, write_content, s);
	tx->data.err = write_stamp(s, opened);
}

static enum smtp_next
refuse_content(struct smtp_session *s, enum err e, struct str words, struct strbuf *out)
{
	struct event event;

	smtp_event(s, &event, EV_DATA_REJECTED);
	event_str(&event, "from", s->tx->mail.from_text);
	event_str(&event, "rcpt", s->tx->mail.rcpts->text);
	event_i64(&event, "rcpts", (int64_t)s->tx->mail.rcpt_count);
	event_i64(&event, "size", (int64_t)s->tx->data.size);
	event_str(&event, "ip", s->peer.ip);
	event_i64(&event, "code", err_get(e)->smtp);
	event_str(&event, "enhanced", str_from(err_get(e)->enhanced));
	event_str(&event, "reason", str_from(err_get(e)->word));
	event_str(&event, "reply", words.n ? words : str_from(err_get(e)->text));
	smtp_tell(s, &event);
	return smtp_reply_reset(s, out, e, words);
}

static enum smtp_next
data_opened(struct smtp_session *s, const struct smtp_answer *answer, struct strbuf *out)
{
	if (answer->err != OK)
		return refuse_content(s, answer->err, answer->text, out);
	/* Text that came before our 354 was not meant for us to wait with: whoever sends
	   it may think that we are somewhere else in the dialogue (RFC 2920 3.1). */
	if (answer->unread) {
		(void)refuse_content(s, ERR_PIPELINING, answer->text, out);
		s->state = SMTP_STATE_CLOSED;
		return SMTP_CLOSE;
	}
	begin_content(s, answer, true);
	s->state = SMTP_STATE_DATA;
	return smtp_reply_good(out, 354, NULL,
	                       STR("Send the message; end with CRLF.CRLF"));
}

/* DATA                                                              RFC 5321 4.1.1.4 */
enum smtp_next
smtp_cmd_data(struct smtp_session *s, struct str args, struct strbuf *out)
{
	(void)args;
	(void)out;
	s->ops->open(s->ops_arg, &s->tx->mail);
	return smtp_ask(s, data_opened);
}

/* ---- chunks ---------------------------------------------------------------------- */

/* The octets of a refused chunk are no commands: they are passed over. */
static enum smtp_next
skip_chunk(struct smtp_session *s, enum err e, struct strbuf *out)
{
	s->chunk_err = e;
	s->chunk_state = s->state;
	s->state = SMTP_STATE_SKIP;
	if (s->chunk_left > s->conf->message_size_max) {
		smtp_tell_refused(s, EV_COMMAND_REJECTED, ERR_TOO_LARGE, "command",
		                  STR("BDAT"));
		return smtp_reply_last(s, out, ERR_TOO_LARGE);
	}
	return SMTP_READ;
}

static enum smtp_next
chunk_skipped(struct smtp_session *s, struct strbuf *out)
{
	enum err e = s->chunk_err;

	s->state = s->chunk_state;
	smtp_tell_refused(s, EV_COMMAND_REJECTED, e, "command", STR("BDAT"));
	return smtp_reply(s, out, e);
}

static enum smtp_next content_complete(struct smtp_session *s, struct strbuf *out);

static enum smtp_next
chunk_ended(struct smtp_session *s, struct strbuf *out)
{
	struct smtp_transaction *tx = s->tx;

	if (s->is_last_chunk)
		smtp_data_finish(&tx->data, take_content, s);
	if (s->is_last_chunk || tx->data.err != OK)
		return content_complete(s, out);
	s->state = SMTP_STATE_BETWEEN;
	return smtp_reply_good(out, 250, "2.0.0", STR("Chunk taken"));
}

static enum smtp_next
chunk_begins(struct smtp_session *s, struct strbuf *out)
{
	s->state = SMTP_STATE_CHUNK;
	return s->chunk_left ? SMTP_READ : chunk_ended(s, out);
}

static enum smtp_next
chunk_opened(struct smtp_session *s, const struct smtp_answer *answer, struct strbuf *out)
{
	if (answer->err != OK) {
		/* The reply comes behind the octets; the transaction ends now. */
		smtp_tell_refused(s, EV_DATA_REJECTED, answer->err, NULL, answer->text);
		smtp_session_reset(s);
		if (s->chunk_left)
			return skip_chunk(s, answer->err, out);
		return smtp_reply(s, out, answer->err);
	}
	begin_content(s, answer, false);
	return chunk_begins(s, out);
}

/* "SIZE" or "SIZE LAST" */
static bool
parse_chunk(struct str args, uint64_t *size_out, bool *is_last_out)
{
	struct str size;

	if (!str_next(&args, ' ', &size) || size.n > 20 || !str_parse_u64(size, size_out))
		return false;
	args = str_trim(args);
	*is_last_out = str_eq_icase(args, STR("LAST"));
	return *is_last_out || args.n == 0;
}

/* BDAT SP size [SP LAST]                                                  RFC 3030 2 */
enum smtp_next
smtp_cmd_bdat(struct smtp_session *s, struct str args, struct strbuf *out)
{
	if (!parse_chunk(args, &s->chunk_left, &s->is_last_chunk)) {
		/* Nobody knows where the next command would begin. */
		smtp_tell_refused(s, EV_COMMAND_REJECTED, ERR_SYNTAX, "command",
		                  STR("BDAT"));
		return smtp_reply_last(s, out, ERR_SYNTAX);
	}
	if (s->state == SMTP_STATE_RCPT && s->chunk_left <= s->conf->message_size_max) {
		s->ops->open(s->ops_arg, &s->tx->mail);
		return smtp_ask(s, chunk_opened);
	}
	if (s->state == SMTP_STATE_RCPT || s->state == SMTP_STATE_BETWEEN) {
		if (s->chunk_left > s->conf->message_size_max) {
			smtp_session_reset(s);
			return skip_chunk(s, ERR_TOO_LARGE, out);
		}
		return chunk_begins(s, out);
	}
	return s->chunk_left ? skip_chunk(s, ERR_SEQUENCE, out)
	                     : smtp_reply(s, out, ERR_SEQUENCE);
}

/* ---- the content itself ----------------------------------------------------------- */

static enum smtp_next
content_ended(struct smtp_session *s, const struct smtp_answer *answer,
              struct strbuf *out)
{
	struct id trace_id = s->tx->mail.trace_id;

	if (answer->err != OK)
		return refuse_content(s, answer->err, answer->text, out);
	s->has_delivered = true;
	smtp_session_reset(s);
	return smtp_reply_about(out, 250, "2.0.0", STR("Accepted "), id_str(&trace_id));
}

static enum smtp_next
content_complete(struct smtp_session *s, struct strbuf *out)
{
	struct smtp_transaction *tx = s->tx;
	enum err e = tx->data.err;

	if (e == OK)
		e = smtp_head_finish(tx->head);
	if (e != OK)
		return refuse_content(s, e, (struct str){ NULL, 0 }, out);
	tx->mail.header_from = smtp_head_from(tx->head);
	tx->mail.from_fields = smtp_head_from_fields(tx->head);
	tx->mail.message_id = smtp_head_message_id(tx->head);
	tx->mail.forged = smtp_head_forged(tx->head);
	tx->mail.loops = smtp_head_loops(tx->head);
	s->ops->accept(s->ops_arg, &tx->mail);
	return smtp_ask(s, content_ended);
}

static enum smtp_next
data_input(struct smtp_session *s, struct str in, size_t *used_out, struct strbuf *out)
{
	struct smtp_data *data = &s->tx->data;
	bool is_end;

	*used_out = smtp_data_input(data, in, take_content, s, &is_end);
	s->progress++;
	if (is_end)
		return content_complete(s, out);
	/* What is refused is read to its end, but not for ever. */
	if (data->err != OK && data->size / 2 > s->conf->message_size_max) {
		(void)refuse_content(s, data->err, (struct str){ NULL, 0 }, out);
		s->state = SMTP_STATE_CLOSED;
		return SMTP_CLOSE;
	}
	return SMTP_READ;
}

enum smtp_next
smtp_content_input(struct smtp_session *s, struct str in, size_t *used_out,
                   struct strbuf *out)
{
	bool is_end;

	if (s->state == SMTP_STATE_DATA)
		return data_input(s, in, used_out, out);
	in = str_first(in, s->chunk_left < in.n ? (size_t)s->chunk_left : in.n);
	s->chunk_left -= in.n;
	s->progress++;
	*used_out = in.n;
	if (s->state == SMTP_STATE_SKIP)
		return s->chunk_left ? SMTP_READ : chunk_skipped(s, out);
	(void)smtp_data_input(&s->tx->data, in, take_content, s, &is_end);
	return s->chunk_left ? SMTP_READ : chunk_ended(s, out);
}
