/* pop3_priv.h - the inside of a POP3 session, for the files of this folder. */
#ifndef POP3_POP3_PRIV_H
#define POP3_POP3_PRIV_H

#include "base/arena.h"
#include "base/line.h"
#include "pop3/pop3_session.h"

struct pop3_entry {
	uint32_t uid;
	uint32_t size;
};

/* A multi-line answer under way. */
enum pop3_stream {
	POP3_STREAM_NONE,
	POP3_STREAM_LIST, /* from entry `at` on */
	POP3_STREAM_UIDL,
	POP3_STREAM_BODY, /* from byte `at` on */
};

typedef enum pop3_next pop3_resume_fn(struct pop3_session *s, enum err e,
                                      struct strbuf *out);

struct pop3_session {
	const struct pop3_conf *conf;
	const struct pop3_ops *ops;
	void *ops_arg;
	enum pop3_state state;
	struct line_reader reader;
	bool is_secure;
	pop3_resume_fn *resume; /* takes the answer to the question that is out */
	struct arena *login;    /* the name between USER and PASS; NULL: none */
	struct str user;
	uint32_t bad, auth_failures;
	enum err fault;

	/* the maildrop */
	struct strbuf entries; /* struct pop3_entry */
	struct strbuf deleted; /* one bit each */
	size_t count, deleted_count;
	uint64_t bytes, deleted_bytes;
	uint32_t uidvalidity;

	/* the answer under way */
	enum pop3_stream stream;
	size_t at;
	struct str message;
	uint64_t lines_left; /* of TOP, counted from the body on; UINT64_MAX: all */
	size_t body_at;
};

/* "+OK text", "-ERR [code] text" with the words of err.def. Refusals count. */
enum pop3_next pop3_ok(struct pop3_session *s, struct strbuf *out, const char *format,
                       ...) PRINTF_LIKE(3, 4);
enum pop3_next pop3_err(struct pop3_session *s, struct strbuf *out, enum err e);
/* The same with words of the caller's. */
enum pop3_next pop3_err_text(struct pop3_session *s, struct strbuf *out,
                             const char *text);
/* After an op was called. */
enum pop3_next pop3_ask(struct pop3_session *s, pop3_resume_fn *resume);

/* pop3_login.c */
enum pop3_next pop3_cmd_capa(struct pop3_session *s, struct str args, struct strbuf *out);
enum pop3_next pop3_cmd_stls(struct pop3_session *s, struct str args, struct strbuf *out);
enum pop3_next pop3_cmd_user(struct pop3_session *s, struct str args, struct strbuf *out);
enum pop3_next pop3_cmd_pass(struct pop3_session *s, struct str args, struct strbuf *out);
enum pop3_next pop3_cmd_auth(struct pop3_session *s, struct str args, struct strbuf *out);
/* One response of a SASL exchange. */
enum pop3_next pop3_auth_line(struct pop3_session *s, struct str line,
                              struct strbuf *out);
void pop3_forget_login(struct pop3_session *s);

/* pop3_drop.c */
enum pop3_next pop3_cmd_stat(struct pop3_session *s, struct str args, struct strbuf *out);
enum pop3_next pop3_cmd_list(struct pop3_session *s, struct str args, struct strbuf *out);
enum pop3_next pop3_cmd_uidl(struct pop3_session *s, struct str args, struct strbuf *out);
enum pop3_next pop3_cmd_retr(struct pop3_session *s, struct str args, struct strbuf *out);
enum pop3_next pop3_cmd_top(struct pop3_session *s, struct str args, struct strbuf *out);
enum pop3_next pop3_cmd_dele(struct pop3_session *s, struct str args, struct strbuf *out);
enum pop3_next pop3_cmd_rset(struct pop3_session *s, struct str args, struct strbuf *out);
enum pop3_next pop3_cmd_noop(struct pop3_session *s, struct str args, struct strbuf *out);
enum pop3_next pop3_cmd_quit(struct pop3_session *s, struct str args, struct strbuf *out);
/* Goes on with the answer under way. */
enum pop3_next pop3_stream_on(struct pop3_session *s, struct strbuf *out);
/* Ends it where it stands. */
void pop3_stream_end(struct pop3_session *s);

#endif
