/* assets.h - the files of the dashboard, from a table made at start.
 *
 * The directory is read once; a request is looked up in the table and never becomes a
 * path, so there is nothing to traverse. A file x with a companion x.gz is sent
 * compressed to whoever takes that. Names with a content hash ("app-3f2a9c1b.js") never
 * change and may be kept for ever; all others carry an ETag. Paths of the dashboard's own
 * pages ("/queue") answer with index.html; so do paths that there is nothing at, for
 * whoever takes HTML, with 404: the dashboard says that in words.
 */
#ifndef API_ASSETS_H
#define API_ASSETS_H

#include "base/str.h"

struct api_assets;
struct api_request;

/* Reads dir; where there is none, the table is empty. Never NULL. */
struct api_assets *assets_open(const char *dir);
void assets_close(struct api_assets **t);
/* Answers with a page of our own that needs no script, in the dashboard's style. Both are
   HTML. */
void assets_reply_page(struct api_request *r, const char *title, struct str body);

#endif
