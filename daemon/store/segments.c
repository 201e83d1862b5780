#include "store/segments.h"

#include "base/list.h"
#include "base/mem.h"
#include "base/panic.h"
#include "base/strbuf.h"
#include "store/crash.h"
#include "store/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

struct file {
	struct link link;
	uint64_t number;
	int fd;
	bool is_touched;
	uint64_t end;  /* of the records we have written */
	uint64_t room; /* as far as the file reaches then; 0: others write it */
};

struct segments {
	struct str data_dir;
	struct arena *arena;
	int dir; /* data_dir/blobs */
	struct link files;
	uint64_t sync_count;
};

enum {
	PATH_MAX_BYTES = 4096,
	ARENA_BYTES = 16 * 1024,
	GROW_BYTES = 1024 * 1024,
	ZEROS_BYTES = 64 * 1024,
	SMALL_WRITE_BYTES = 32 * 1024, /* zeros ahead of these are worth their writing */
};

static enum err
error_of(int number)
{
	return number == ENOSPC || number == EDQUOT ? ERR_DISK_FULL : ERR_IO;
}

enum err
segments_open(struct str data_dir, struct segments **out)
{
	char bytes[PATH_MAX_BYTES];
	struct strbuf path = strbuf_on(bytes);
	struct segments *s;
	int dir;

	*out = NULL;
	strbuf_add(&path, data_dir);
	strbuf_lit(&path, "/blobs");
	if (mkdir(strbuf_cstr(&path), 0700) != 0 && errno != EEXIST)
		return error_of(errno);
	dir = open(strbuf_cstr(&path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return error_of(errno);
	s = mem_alloc(sizeof(*s));
	s->arena = arena_new(ARENA_BYTES);
	s->data_dir = arena_str(s->arena, data_dir);
	s->dir = dir;
	list_init(&s->files);
	*out = s;
	return OK;
}

static void
file_close(struct file *f)
{
	list_remove(&f->link);
	if (f->room > f->end)
		(void)!ftruncate(f->fd, (off_t)f->end);
	(void)close(f->fd);
	mem_free(f);
}

void
segments_close(struct segments **s)
{
	if (!*s)
		return;
	LIST_EACH(&(*s)->files, l)
	file_close(CONTAINER_OF(l, struct file, link));
	(void)close((*s)->dir);
	arena_free(&(*s)->arena);
	mem_free(*s);
	*s = NULL;
}

static struct file *
find_open(struct segments *s, uint64_t number)
{
	LIST_EACH(&s->files, l)
	{
		struct file *f = CONTAINER_OF(l, struct file, link);

		if (f->number == number)
			return f;
	}
	return NULL;
}

static int
open_file(struct segments *s, uint64_t number, int flags)
{
	char bytes[PATH_MAX_BYTES];
	struct strbuf path = strbuf_on(bytes);

	return open(segment_path(s->data_dir, number, &path),
	            flags | O_CLOEXEC | O_NOFOLLOW, 0600);
}

static struct file *
add(struct segments *s, uint64_t number, int fd)
{
	struct file *f = mem_alloc(sizeof(*f));

	f->number = number;
	f->fd = fd;
	list_add_first(&s->files, &f->link);
	return f;
}

static struct file *
find(struct segments *s, uint64_t number)
{
	struct file *f = find_open(s, number);
	int fd;

	if (f)
		return f;
	fd = open_file(s, number, O_RDONLY);
	return fd < 0 ? NULL : add(s, number, fd);
}

enum err
segments_create(struct segments *s, uint64_t number)
{
	int fd = open_file(s, number, O_RDWR | O_CREAT | O_EXCL);

	if (fd < 0)
		return errno == EEXIST ? ERR_EXISTS : error_of(errno);
	crash_point();
	if (fsync(s->dir) != 0)
		PANIC("sync of the segment directory failed");
	crash_point();
	(void)add(s, number, fd);
	return OK;
}

enum err
segments_size(struct segments *s, uint64_t number, uint64_t *size_out)
{
	struct file *f = find(s, number);
	struct stat st;

	*size_out = 0;
	if (!f)
		return errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
	*size_out = f->end;
	if (f->room)
		return OK;
	if (fstat(f->fd, &st) != 0)
		return ERR_IO;
	*size_out = (uint64_t)st.st_size;
	return OK;
}

/* Zeros from the end of the file on, up to a step behind the records. */
static void
fill(struct file *f, uint64_t end)
{
	static const char zeros[ZEROS_BYTES];
	uint64_t from = f->room > f->end ? f->room : f->end;

	while (from < end + GROW_BYTES) {
		struct iovec part = { (void *)(uintptr_t)zeros, ZEROS_BYTES };

		if (segment_write(f->fd, &part, 1, from) != OK)
			break;
		from += ZEROS_BYTES;
	}
	f->room = from;
}

/* The file gets longer by a large step now and then: a sync that need not bring a new
   length to the disk spares a turn of the file system's journal, and takes a fraction of
   the time. Nor need it say there which blocks hold something now, where zeros were
   written to them before: with few bytes to a sync that saves another third of it, with
   many the disk has better things to do. Where no room can be had in advance, there may
   still be some for the bytes. */
static void
grow(struct file *f, uint64_t at, uint64_t end)
{
	if (end <= f->room)
		return;
	if (end - at <= SMALL_WRITE_BYTES)
		fill(f, end);
	else if (fallocate(f->fd, 0, (off_t)f->end, GROW_BYTES) == 0)
		f->room = f->end + GROW_BYTES;
	if (f->room < end)
		f->room = end;
}

enum err
segments_write(struct segments *s, uint64_t number, struct iovec *parts, int count,
               uint64_t at)
{
	struct file *f = find(s, number);
	uint64_t end = at;
	enum err e;

	if (!f)
		return ERR_IO;
	for (int i = 0; i < count; i++)
		end += parts[i].iov_len;
	grow(f, at, end);
	crash_point();
	e = segment_write(f->fd, parts, count, at);
	if (e != OK)
		return e;
	f->end = end;
	/* The disk begins while the batch is applied; the sync says when it is done. */
	(void)sync_file_range(f->fd, (off_t)at, (off_t)(end - at), SYNC_FILE_RANGE_WRITE);
	return OK;
}

void
segments_touch(struct segments *s, uint64_t number)
{
	struct file *f = find(s, number);

	if (f)
		f->is_touched = true;
}

/* The kernel forgets which pages failed once it has told of it: a second try would lie.
   So nothing is acknowledged, the process ends, and the disk says what there is. */
void
segments_sync(struct segments *s)
{
	LIST_EACH(&s->files, l)
	{
		struct file *f = CONTAINER_OF(l, struct file, link);

		if (!f->is_touched)
			continue;
		crash_point();
		if (fdatasync(f->fd) != 0)
			PANIC("sync of a segment failed");
		f->is_touched = false;
		s->sync_count++;
	}
	crash_point();
}

uint64_t
segments_sync_count(const struct segments *s)
{
	return s->sync_count;
}

void
segments_seal(struct segments *s, uint64_t number)
{
	struct file *f = find_open(s, number);

	if (f)
		file_close(f);
}

void
segments_remove(struct segments *s, uint64_t number)
{
	char bytes[PATH_MAX_BYTES];
	struct strbuf path = strbuf_on(bytes);

	segments_seal(s, number);
	crash_point();
	(void)unlink(segment_path(s->data_dir, number, &path));
}
