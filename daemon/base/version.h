/* version.h - which Mailstead this is; the Makefile and packages read it here. */
#ifndef BASE_VERSION_H
#define BASE_VERSION_H

#define MAILSTEAD_VERSION "0.1.0"

#endif
