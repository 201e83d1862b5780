/* relay_report.h - reports of others on our domains, which come as mail. */
#ifndef RELAY_RELAY_REPORT_H
#define RELAY_RELAY_REPORT_H

#include <stdbool.h>

struct queue_item;
struct relay;

/* Is the row one that is read here? */
bool relay_report_is_one(const struct queue_item *item);
/* A claimed one of them. */
void relay_report_take(struct relay *r, const struct queue_item *item);
/* Those that wait go back to the store. */
void relay_report_return_all(struct relay *r);
void relay_report_free(struct relay *r);

#endif
