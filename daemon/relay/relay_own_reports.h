/* relay_own_reports.h - which day's reports on others are to be made, one after the other
 * (relay_own_report.h makes one).
 */
#ifndef RELAY_RELAY_OWN_REPORTS_H
#define RELAY_RELAY_OWN_REPORTS_H

struct relay;

void relay_own_reports_new(struct relay *r);
void relay_own_reports_start(struct relay *r);
/* The configuration was read again. */
void relay_own_reports_reload(struct relay *r);
void relay_own_reports_free(struct relay *r);

#endif
