/* imap_world.h - a store in memory, for an IMAP session without a store.
 *
 * It has one account, ann@example.org with the password
 * "secret", and the mailboxes every account has. Questions of the session are kept and
 * answered by imap_world_answer, never before. Used by the stories of tests/dialogue/imap
 * and by the fuzzer.
 */
#ifndef TESTS_DIALOGUE_IMAP_WORLD_H
#define TESTS_DIALOGUE_IMAP_WORLD_H

#include "imap/imap_session.h"

#include <stdbool.h>

struct imap_world;

struct imap_world *imap_world_new(void);
void imap_world_free(struct imap_world **w);
extern const struct imap_ops imap_world_ops; /* their argument is the world */
/* Whom answers are for. */
void imap_world_attach(struct imap_world *w, struct imap_session *s);
bool imap_world_has_question(const struct imap_world *w);
enum imap_next imap_world_answer(struct imap_world *w, struct strbuf *out);
/* The next question that can fail is answered with this. */
void imap_world_fail_next(struct imap_world *w, enum err e);
/* Another session does something to INBOX. */
void imap_world_append(struct imap_world *w, struct str message, uint64_t flags);
void imap_world_expunge(struct imap_world *w, uint32_t uid);
void imap_world_flag(struct imap_world *w, uint32_t uid, uint64_t flags);
/* ... gives a message the keyword Word, and no other flag. */
void imap_world_word(struct imap_world *w, uint32_t uid);
/* It cannot be read any more. */
void imap_world_damage(struct imap_world *w, uint32_t uid);
void imap_world_drop_box(struct imap_world *w, struct str name);

#endif
