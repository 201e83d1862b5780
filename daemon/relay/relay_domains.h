/* relay_domains.h - our domains and their keys, looked after: made, retired, revoked. */
#ifndef RELAY_RELAY_DOMAINS_H
#define RELAY_RELAY_DOMAINS_H

struct change;
struct relay;

void relay_domains_new(struct relay *r);
void relay_domains_start(struct relay *r);
/* Something of the settings has changed. */
void relay_domains_changed(struct relay *r, const struct change *change);
void relay_domains_free(struct relay *r);

#endif
