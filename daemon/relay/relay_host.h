/* relay_host.h - the host as others see it, checked by and by. */
#ifndef RELAY_RELAY_HOST_H
#define RELAY_RELAY_HOST_H

struct change;
struct relay;

void relay_host_new(struct relay *r);
void relay_host_start(struct relay *r);
/* r->conf is another one: looks at once at what goes by a setting that has changed. */
void relay_host_reload(struct relay *r);
/* Something of the settings has changed. */
void relay_host_changed(struct relay *r, const struct change *change);
/* Not before everything else has stopped. */
void relay_host_free(struct relay *r);

#endif
