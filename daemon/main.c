#include "base/str.h"

#include <stdio.h>

int
main(int argc, char **argv)
{
	(void)argv;
	(void)fprintf(stderr, "usage: mailstead COMMAND [OPTIONS]\n");
	return argc > 1 ? 1 : 2;
}
