/* crash.h - a place to die for the crash test.
 *
 * With MAILSTEAD_CRASH_AT=n in the environment of the process, the n-th call kills it as
 * SIGKILL would, between two steps that touch the disk. Without it a call is one test of
 * a variable. The supervisor passes the variable to the store alone, and once only.
 */
#ifndef STORE_CRASH_H
#define STORE_CRASH_H

void crash_init(void);
void crash_point(void);

#endif
