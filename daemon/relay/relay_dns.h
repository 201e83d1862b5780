/* relay_dns.h - what the name service says of our domains: which are looked at, and when. */
#ifndef RELAY_RELAY_DNS_H
#define RELAY_RELAY_DNS_H

struct change;
struct relay;

void relay_dns_new(struct relay *r);
void relay_dns_start(struct relay *r);
/* Something of the settings has changed. */
void relay_dns_changed(struct relay *r, const struct change *change);
/* The configuration is new: where other records are to be published, all domains are
   looked at again. */
void relay_dns_reload(struct relay *r);
/* Not before everything else has stopped. */
void relay_dns_free(struct relay *r);

#endif
