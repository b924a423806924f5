/* world - one replica under test: a store in a directory of its own, a state over it, and a clock
 * and command numbers that the test owns. Commands are given as text (command_text.h), effects come
 * out as text (effect_text.h). */
#ifndef TESTS_UNIT_STORAGE_STATE_WORLD_H
#define TESTS_UNIT_STORAGE_STATE_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "storage/state/rows.h"
#include "tests/lib/scratch.h"

#define WORLD_INCARNATIONS_MAX 64

struct world {
    char dir[SCRATCH_BYTES];
    struct kv *kv;
    struct state *state;
    struct arena arena;
    struct effects effects; /* of the last entry */
    struct buf text;        /* the same as text */
    struct buf entry;       /* bytes of the last entry */
    uint64_t index;
    uint64_t now_ms;
    uint64_t seq[WORLD_INCARNATIONS_MAX]; /* last one used of each incarnation */
};

void world_open(struct world *world);
void world_close(struct world *world);

/** Apply an entry of lines, as world_run() does; returns what state_apply() says. */
int world_try(struct world *world, const char *lines);
/** Apply one entry: a batch with one command a line. Returns its effects, one a line; valid until
 * the next call. */
const char *world_run(struct world *world, const char *lines);
/** The same with printf. */
const char *world_runf(struct world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/** Run, and fail the test unless the effects are exactly these lines. */
#define world_expect(world, lines, effects)                                                        \
    assert_string_equal(world_run((world), (lines)), effects)
/** Run one command that must be carried out, and have no other effect. */
void world_grant(struct world *world, const char *line);
/** Run one command that must be refused for this reason, and have no other effect. */
void world_refuse(struct world *world, const char *line, int reason);
/** Apply bytes as the next entry, as another replica would. */
int world_apply(struct world *world, struct slice entry);
/** Apply a mark, which closes the window. */
void world_mark(struct world *world);

/** One node (incarnation 1), domain x, users alice, bob and carol. */
void world_settle(struct world *world);
/** Bind user (local part) with this resource at incarnation 1; make it available. Returns its id.
 * slot of the owner: the same as the session id. */
uint64_t world_login(struct world *world, const char *user, const char *resource);
/** The same without presence. */
uint64_t world_bind(struct world *world, const char *user, const char *resource);
/** The roster's items, in the world's arena until the next entry. */
struct row_list world_roster(struct world *world, const char *user);
/** What a resumable session is resumed by, as text. */
const char *world_resume_id(struct world *world, uint64_t session);
/** The row, in the world's arena until the next entry. NULL when there is none. */
Pb__SessionRow *world_session(struct world *world, uint64_t session);
/** The pending list of a session as text, one entry a line. */
const char *world_pending(struct world *world, uint64_t session);

#endif
