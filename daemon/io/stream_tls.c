/* From plain to TLS: what was said before is dropped, what was written goes out first. */
#include "io/stream_priv.h"

void
stream_handshake_step(struct stream *s)
{
	switch (tls_conn_handshake(s->tls)) {
	case TLS_DONE:
		break;
	case TLS_WANT_READ:
		arm(s, WATCH_READ);
		return;
	case TLS_WANT_WRITE:
		arm(s, WATCH_WRITE);
		return;
	case TLS_UNVERIFIED:
		stream_finish(s, STREAM_TLS_VERIFY, tls_conn_error(s->tls));
		return;
	default:
		stream_finish(s, STREAM_TLS, tls_conn_error(s->tls));
		return;
	}
	timer_stop(&s->guard);
	s->state = OPEN;
	arm(s, s->is_taking ? WATCH_READ : 0);
	if (s->ops->secured)
		s->ops->secured(s->arg);
	if (is_live(s) && stream_unsent(s))
		stream_flush(s);
	/* What came with the last handshake message waits inside; and where nothing does,
	   finding that out makes OpenSSL give its buffer back. */
	if (is_live(s) && s->state == OPEN)
		stream_read_turn(s);
}

static void
start_tls(struct stream *s, struct tls_conn *tls, size_t *dropped_out)
{
	*dropped_out = s->unread_n;
	stream_drop_input(s);
	if (s->state != OPEN || s->tls) {
		tls_conn_free(&tls);
		stream_finish(s, STREAM_TLS, "not possible now");
		return;
	}
	if (!tls) {
		stream_finish(s, STREAM_TLS, "no certificate");
		return;
	}
	s->state = STARTING;
	disarm(s, WATCH_READ);
	s->tls = tls;
	if (!s->will_flush) {
		s->will_flush = true;
		loop_defer(s->loop, stream_on_flush, s);
	}
}

void
stream_start_tls_server(struct stream *s, struct tls_server *tls, enum tls_alpn alpn,
                        size_t *dropped_out)
{
	start_tls(s, s->state == OPEN ? tls_conn_server(tls, s->fd, alpn) : NULL,
	          dropped_out);
}

void
stream_start_tls_client(struct stream *s, const struct tls_client *client,
                        size_t *dropped_out)
{
	start_tls(s, s->state == OPEN ? tls_conn_client(client, s->fd) : NULL,
	          dropped_out);
}

const struct tls_info *
stream_tls_info(const struct stream *s)
{
	bool is_up = s->tls && s->state != STARTING && s->state != HANDSHAKE;

	return is_up ? tls_conn_info(s->tls) : NULL;
}
