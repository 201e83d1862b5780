/* queue.h - finding rows of the queue, for the list and for bulk actions. */
#ifndef API_QUEUE_H
#define API_QUEUE_H

#include "api/filter.h"
#include "api/page.h"
#include "store/ops.h"

/* A filter, and what of it the reader can be told. */
struct queue_filter {
	struct api_request *r;
	struct filter *filter;
	struct queue_query query;
	int64_t now_ms;
};

/* Reads q; state is a queue state or empty. False: the problem has been answered. */
MUSTUSE bool queue_filter_read(struct api_request *r, struct str q, struct str state,
                               const char *pointer, struct queue_filter *out);
/* 400 invalid_filter with what is wrong and where. */
void filter_problem(struct api_request *r, const char *pointer,
                    const struct filter_error *error);
/* May this caller see the row, and does it match? */
bool queue_filter_has(const struct queue_filter *f, const struct queue_item *item);
void queue_write_item(struct api_request *r, struct json_out *j,
                      const struct queue_item *item, int64_t now_ms,
                      struct str *etag_out);
/* The row that the path names; false: answered. */
MUSTUSE bool queue_find(struct api_request *r, struct str param, struct queue_item *out);

#endif
