/* Feeds files to a fuzzer without libFuzzer: FUZZER FILE...

   Each file is fed whole, then cut off at every length up to CUTS, then with one byte
   changed at each of the first CUTS places: what a peer or a damaged disk does most
   often. Prints "N passed, 0 failed" with N files; a fault ends it, which the sanitizers
   see to. The file in work is named on stderr by then. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	CUTS = 256,
	FILE_MAX_BYTES = 1 << 20,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *current = "";

/* A copy of exactly the right size, so that reading one byte too far is seen. */
static void
feed(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		exit(2);
	memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static void
feed_variants(uint8_t *data, size_t size)
{
	static const uint8_t changes[] = { 0x01, 0x80, 0xff };

	feed(data, size);
	for (size_t i = 0; i < size && i < CUTS; i++) {
		uint8_t was = data[i];

		feed(data, i);
		data[i] ^= changes[i % sizeof(changes)];
		feed(data, size);
		data[i] = was;
	}
}

static int
run_file(const char *path, uint8_t *data)
{
	FILE *f = fopen(path, "rb");
	size_t size;

	if (!f) {
		perror(path);
		return 1;
	}
	size = fread(data, 1, FILE_MAX_BYTES, f);
	fclose(f);
	current = path;
	feed_variants(data, size);
	return 0;
}

static void
tell_current(void)
{
	if (*current)
		fprintf(stderr, "replay: ended at %s\n", current);
}

int
main(int argc, char **argv)
{
	static uint8_t data[FILE_MAX_BYTES];
	int failed = 0;

	if (argc < 2) {
		fprintf(stderr, "usage: %s FILE...\n", argv[0]);
		return 2;
	}
	atexit(tell_current);
	for (int i = 1; i < argc; i++) {
		fprintf(stderr, "%s\n", argv[i]);
		failed += run_file(argv[i], data);
	}
	current = "";
	printf("%d passed, %d failed\n", argc - 1 - failed, failed);
	return failed ? 1 : 0;
}
