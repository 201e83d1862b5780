/* xml.h - XML in, as a run of events. One wrapper around expat.
 *
 * For documents of strangers: a document type is refused, so there are no entities but
 * the five of XML itself, nothing from outside is fetched, and depth and length are
 * bounded. Text is UTF-8.
 */
#ifndef EXT_XML_H
#define EXT_XML_H

#include "base/err.h"
#include "base/macros.h"
#include "base/str.h"

enum {
	XML_DEPTH_MAX = 16,
	XML_TEXT_MAX = 4096, /* bytes of text of one element; the rest is left out */
};

/* A leaf or a branch ends. path: the names of the elements from the root on, without
   their name spaces, "/" between, and a ":" in front of those that are of another name
   space than the root; text: what stands in it, spaces at both ends taken off,
   without that of elements in it. Both are good until it returns. Any error ends it. */
typedef enum err xml_element_fn(void *arg, struct str path, struct str text);

/* The whole document at once. ERR_MALFORMED: it is no XML; ERR_UNSUPPORTED: it has a
   document type; ERR_LIMIT: too deep, names or tags too long; else what fn
   says. */
MUSTUSE enum err xml_parse(struct str document, xml_element_fn *fn, void *arg);

#endif
