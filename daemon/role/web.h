/* web.h - the process that serves REST API and dashboard. */
#ifndef ROLE_WEB_H
#define ROLE_WEB_H

struct role;

/* Entry of the row "web" of roles.def; the exit status. */
int role_web_main(struct role *r);

#endif
