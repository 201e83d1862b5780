/* dmarc_priv.h - the steps of DMARC, for each other and for their tests. */
#ifndef POLICY_DMARC_PRIV_H
#define POLICY_DMARC_PRIV_H

#include "policy/dmarc.h"

enum {
	DMARC_WALK_MAX = 8,    /* questions of one walk (RFC 9989 4.10) */
	DMARC_FROM_MAX = 4,    /* addresses of a From field that are looked at */
	DMARC_DOMAIN_MAX = 256 /* bytes of a domain with A-labels */
};

/* What one name of a walk says. */
struct dmarc_stop {
	struct str domain; /* a piece of the domain that the walk began at */
	bool has_record, is_temp;
	bool is_broken; /* the record is ERR_SYNTAX to dmarc_record_parse */
	struct dmarc_record record;
};

/* A tree walk, longest name first; what is beyond psd=y or psd=n is not there. */
struct dmarc_walk {
	size_t count;
	struct dmarc_stop stops[DMARC_WALK_MAX];
};

/* domain: A-labels, lower case, borrowed. */
MUSTUSE enum policy_step dmarc_walk(struct str domain, struct lookups *l,
                                    struct dmarc_walk *walk_out);
/* The organisational domain by what the walk found, a piece of its first domain; empty
   where no record says anything. */
struct str dmarc_walk_org(const struct dmarc_walk *walk);
/* The same, and by the public suffix list where it says nothing; a public suffix is its
   own. *is_temp_out: a question found no answer, another time it may be another. */
MUSTUSE enum policy_step dmarc_walk_org_or_listed(struct str domain, struct lookups *l,
                                                  struct str *org_out, bool *is_temp_out);

/* Who a From field says the message is from. */
struct dmarc_from {
	size_t count;                       /* domains, of addresses that have one */
	struct str domains[DMARC_FROM_MAX]; /* A-labels, lower case */
	bool is_single;      /* addresses of one good domain, nothing else */
	const char *problem; /* else: what is wrong, in plain words */
	char room[DMARC_FROM_MAX][DMARC_DOMAIN_MAX * 2];
};

/* value: of the field, folded. */
void dmarc_from_read(struct str value, struct dmarc_from *from_out);

#endif
