/* settings.h - what is set in the dashboard, in a process that can read the index.
 *
 * The file says what must be known before the store opens, and has the last word; what is
 * set in the dashboard lies in the store and is laid over it. A process reads it once it
 * is ready, before it serves anybody, and again whenever the store says that it changed.
 */
#ifndef ROLE_SETTINGS_H
#define ROLE_SETTINGS_H

#include "role/role.h"
#include "store/client.h"
#include "store/reader.h"

struct role_settings;

/* Reads and follows them. Borrows all three. Call it after role_ready(): the index must
   not be opened with rights that are dropped later. Never NULL. */
struct role_settings *role_settings_open(struct role *r, struct store_client *store,
                                         struct reader *reader);
void role_settings_close(struct role_settings **s);
/* Reads them once, for who hears of changes in another way. Where they cannot be read,
   all stays as it is. */
void role_settings_read(struct role *r, struct reader *reader);

#endif
