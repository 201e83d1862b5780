/* cmd_search.c - SEARCH, with RETURN (RFC 3501 6.4.4, RFC 4731).
 *
 * The program is asked level by level (imap_search.h): each level reads the messages that
 * the one before could not decide, in slices, so that a search never holds the loop.
 */
#include "imap/imap_priv.h"
#include "imap/imap_search.h"

enum {
	RETURN_MIN = 1 << 0,
	RETURN_MAX = 1 << 1,
	RETURN_COUNT = 1 << 2,
	RETURN_ALL = 1 << 3,
	RETURN_ASKED = 1 << 4, /* ESEARCH instead of SEARCH */
};

/* One slice, by level. */
static const struct slice {
	uint32_t rows;
	uint64_t bytes;
	unsigned want;
} slices[LEVEL_COUNT] = {
	/* clang-format off */
	[LEVEL_ENTRY]  = { 20000, UINT64_MAX,      0 },
	[LEVEL_FIELDS] = {  2000, UINT64_MAX,      IMAP_WANT_FIELDS },
	[LEVEL_BODY]   = {   500, 4 * 1024 * 1024, IMAP_WANT_BODY },
	/* clang-format on */
};

struct search_job {
	unsigned returns;
	struct imap_program program;
	enum imap_level level;
	struct imap_set uids; /* left to look at, at this level */
	struct imap_set_builder hits[LEVEL_COUNT], unknown;
	bool is_stopped, is_unreadable;
	uint32_t rows_max; /* of a slice */
	uint32_t rows;     /* in this slice */
	uint64_t bytes;
	/* the answer */
	bool is_writing;
	struct imap_set found; /* UIDs or numbers */
	size_t at;             /* the range to write next */
	uint32_t at_number;    /* the number in it, for SEARCH */
};

static const struct str none;

static const struct return_option {
	struct str word;
	unsigned bit;
} return_options[] = {
	{ STR_INIT("MIN"), RETURN_MIN },
	{ STR_INIT("MAX"), RETURN_MAX },
	{ STR_INIT("COUNT"), RETURN_COUNT },
	{ STR_INIT("ALL"), RETURN_ALL },
};

/* "RETURN (…) " */
static bool
take_returns(struct imap_args *args, unsigned *returns_out)
{
	struct str word;

	*returns_out = 0;
	if (!str_skip_icase(&args->rest, STR("RETURN ")))
		return true;
	*returns_out = RETURN_ASKED;
	if (!imap_args_open(args))
		return false;
	while (!imap_args_at(args, ')')) {
		size_t i = 0;

		if (!imap_args_atom(args, &word))
			return false;
		while (i < ARRAY_LEN(return_options) &&
		       !str_eq_icase(return_options[i].word, word))
			i++;
		if (i == ARRAY_LEN(return_options))
			return imap_args_fail(args, "Unknown RETURN option");
		*returns_out |= return_options[i].bit;
		if (!imap_args_at(args, ')') && !imap_args_space(args))
			return false;
	}
	if (*returns_out == RETURN_ASKED)
		*returns_out |= RETURN_ALL;
	return imap_args_close(args) && imap_args_space(args);
}

static enum imap_step
ask_rows(struct imap_session *s, struct search_job *job)
{
	/* A long program makes each row dear. */
	job->rows_max = 1 + slices[job->level].rows / (1 + job->program.keys_n / 16);
	job->is_stopped = false;
	job->rows = 0;
	job->bytes = 0;
	s->ops->rows(s->ops_arg, job->uids.ranges, job->uids.n, slices[job->level].want);
	return STEP_WAIT;
}

static enum imap_step start_answer(struct imap_session *s, struct search_job *job,
                                   struct strbuf *out);

/* SEARCH [RETURN (…)] [CHARSET name] keys                  RFC 3501 6.4.4, RFC 4731 3.1 */
IMAP_START(imap_cmd_search)
{
	struct search_job *job = ARENA_NEW(s->arena, struct search_job);
	struct str charset = none;

	if (!imap_args_space(args) || !take_returns(args, &job->returns))
		return imap_bad_args(s, args);
	if (str_skip_icase(&args->rest, STR("CHARSET ")) &&
	    (!imap_args_astring(args, &charset) || !imap_args_space(args)))
		return imap_bad_args(s, args);
	if (!imap_program_parse(s, args, charset, &job->program)) {
		if (job->program.error == ERR_CHARSET)
			return imap_no(s, STR("BADCHARSET (US-ASCII UTF-8)"),
			               STR("Charset not supported"));
		return imap_bad_args(s, args);
	}
	for (size_t i = 0; i < LEVEL_COUNT; i++)
		imap_set_builder_init(&job->hits[i], s->arena);
	imap_set_builder_init(&job->unknown, s->arena);
	if (job->program.has_set) {
		job->uids = job->program.set;
	} else {
		struct uid_range all = { 1, s->view.count };
		struct imap_set seqs = { &all, s->view.count > 0 };

		if (!imap_view_uids_of_seqs(&s->view, &seqs, s->arena, &job->uids))
			return imap_error(s, ERR_LIMIT);
	}
	s->job = job;
	return job->uids.n > 0 ? ask_rows(s, job) : start_answer(s, job, out);
}

IMAP_ROW(imap_search_row)
{
	struct search_job *job = s->job;
	const struct slice *slice = &slices[job->level];
	uint32_t uid = row->entry.uid;
	bool is_kept = true;

	(void)out;
	job->is_unreadable |= job->level == LEVEL_BODY && !row->body.p;
	if (imap_view_seq(&s->view, uid) == 0) {
		imap_set_skip_to(&job->uids, uid);
		return true;
	}
	switch (imap_program_ask(s, &job->program, job->level, row)) {
	case TRUTH_YES:
		is_kept = imap_set_builder_add(&job->hits[job->level], uid, uid);
		break;
	case TRUTH_UNKNOWN:
		is_kept = imap_set_builder_add(&job->unknown, uid, uid);
		break;
	case TRUTH_NO:
		break;
	case TRUTH_LATER:
		imap_set_skip_to(&job->uids, uid - 1);
		job->is_stopped = true;
		return false;
	}
	imap_set_skip_to(&job->uids, uid);
	job->bytes += row->body.n;
	job->is_stopped =
		++job->rows >= job->rows_max || job->bytes >= slice->bytes || !is_kept;
	return !job->is_stopped;
}

/* --- the answer */

/* UIDs as the numbers that SEARCH answers with. */
static bool
seqs_of(const struct imap_session *s, const struct imap_set *uids,
        struct imap_set *seqs_out)
{
	struct imap_set_builder seqs;

	imap_set_builder_init(&seqs, s->arena);
	for (size_t i = 0; i < uids->n; i++) {
		uint32_t uid = uids->ranges[i].first;

		for (;;) {
			uint32_t seq = imap_view_seq(&s->view, uid);

			if (seq > 0 && !imap_set_builder_add(&seqs, seq, seq))
				return false;
			if (uid++ == uids->ranges[i].last)
				break;
		}
	}
	*seqs_out = imap_set_builder_set(&seqs);
	return true;
}

/* What was found at each level, in one set. */
static bool
collect(struct imap_session *s, struct search_job *job)
{
	struct imap_set all = { 0 };

	for (size_t i = 0; i < LEVEL_COUNT; i++)
		all.n += imap_set_builder_set(&job->hits[i]).n;
	all.ranges = arena_try(s->arena, all.n * sizeof(*all.ranges));
	if (!all.ranges)
		return false;
	all.n = 0;
	for (size_t i = 0; i < LEVEL_COUNT; i++) {
		struct imap_set hits = imap_set_builder_set(&job->hits[i]);

		if (hits.n > 0)
			memcpy(all.ranges + all.n, hits.ranges,
			       hits.n * sizeof(*hits.ranges));
		all.n += hits.n;
	}
	imap_set_resolve(&all, 0);
	if (!s->is_uid)
		return seqs_of(s, &all, &job->found);
	job->found = all;
	return true;
}

static void
number(struct strbuf *out, struct str word, uint64_t n)
{
	strbuf_add(out, word);
	strbuf_u64(out, n);
}

static void
begin_esearch(const struct imap_session *s, const struct search_job *job,
              struct strbuf *out)
{
	const struct imap_set *found = &job->found;

	strbuf_lit(out, "* ESEARCH (TAG ");
	imap_string_format(out, s->tag);
	strbuf_byte(out, ')');
	if (s->is_uid)
		strbuf_lit(out, " UID");
	if (found->n > 0 && (job->returns & RETURN_MIN))
		number(out, STR(" MIN "), found->ranges[0].first);
	if (found->n > 0 && (job->returns & RETURN_MAX))
		number(out, STR(" MAX "), found->ranges[found->n - 1].last);
	if (job->returns & RETURN_COUNT)
		number(out, STR(" COUNT "), imap_set_count(found));
	if (found->n > 0 && (job->returns & RETURN_ALL))
		strbuf_lit(out, " ALL ");
}

/* As much as the output takes. True: all of it. */
static bool
write_ranges(const struct imap_session *s, struct search_job *job, struct strbuf *out)
{
	for (; job->at < job->found.n; job->at++) {
		if (imap_is_full(s, out))
			return false;
		if (job->at > 0)
			strbuf_byte(out, ',');
		imap_set_format(out, &job->found.ranges[job->at], 1);
	}
	return true;
}

static bool
write_numbers(const struct imap_session *s, struct search_job *job, struct strbuf *out)
{
	for (; job->at < job->found.n; job->at++, job->at_number = 0) {
		const struct uid_range *r = &job->found.ranges[job->at];

		if (job->at_number == 0)
			job->at_number = r->first;
		for (; job->at_number <= r->last; job->at_number++) {
			if (imap_is_full(s, out))
				return false;
			strbuf_byte(out, ' ');
			strbuf_u64(out, job->at_number);
			if (job->at_number == UINT32_MAX)
				break;
		}
	}
	return true;
}

static enum imap_step
go_on_answer(struct imap_session *s, struct search_job *job, struct strbuf *out)
{
	bool is_all = true;

	if (!(job->returns & RETURN_ASKED))
		is_all = write_numbers(s, job, out);
	else if (job->returns & RETURN_ALL)
		is_all = write_ranges(s, job, out);
	if (!is_all)
		return STEP_MORE;
	strbuf_lit(out, "\r\n");
	if (job->is_unreadable)
		return imap_no(s, STR("SERVERBUG"), STR("A message could not be read"));
	return imap_ok(s, none, none);
}

static enum imap_step
start_answer(struct imap_session *s, struct search_job *job, struct strbuf *out)
{
	if (!collect(s, job))
		return imap_error(s, ERR_LIMIT);
	job->is_writing = true;
	if (job->returns & RETURN_ASKED)
		begin_esearch(s, job, out);
	else
		strbuf_lit(out, "* SEARCH");
	return go_on_answer(s, job, out);
}

IMAP_RESUME(imap_search_resume)
{
	struct search_job *job = s->job;

	if (job->is_writing)
		return go_on_answer(s, job, out);
	if (answer != OK)
		return imap_error(s, answer);
	if (job->unknown.bytes.overflow || job->hits[job->level].bytes.overflow)
		return imap_error(s, ERR_LIMIT);
	if (job->is_stopped && job->uids.n > 0)
		return ask_rows(s, job);
	/* The next level that any key needs. */
	job->uids = imap_set_builder_set(&job->unknown);
	if (job->uids.n == 0)
		return start_answer(s, job, out);
	imap_set_builder_init(&job->unknown, s->arena);
	do {
		job->level++;
	} while (job->level < LEVEL_BODY && !(job->program.levels & 1U << job->level));
	return ask_rows(s, job);
}
