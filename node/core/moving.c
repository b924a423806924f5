/* This node drops, at a pace, the sessions of a move that it has to (DESIGN 7, ha/mover): all of
 * its own when it is failed over or drained, those of the home node when the home node gets its
 * users back. Streams that can be resumed are cut, so that clients come back by themselves; others
 * are told where to go. */
#include "node/core/moving.h"

#include "node/base/log.h"
#include "node/base/mem.h"
#include "node/core/core_private.h"

#define ROWS_A_TICK  2000 /* looked at: the state thread does nothing else meanwhile */
#define DROPS_A_TICK 1000

struct moving {
    struct mover mover;
    uint32_t node; /* whose users are moved; 0: nothing is to be done */
    uint32_t moves;
    bool is_leaving;     /* this node is failed over: everybody goes */
    bool is_reported;    /* that it is over */
    bool looks;          /* what is to be done may have changed */
    uint64_t next_found; /* sessions before it were looked at */
    uint64_t end;        /* those from here on came after the move */
};

struct moving *moving_new(void)
{
    struct moving *moving = mem_zalloc(sizeof(*moving));

    moving->looks = true;
    return moving;
}

void moving_free(struct moving **moving)
{
    if (*moving != NULL) {
        mover_end(&(*moving)->mover);
        mem_free(moving);
    }
}

void moving_look_again(struct core *core)
{
    core->moving->looks = true;
}

/* ---- which move */

struct search {
    const struct core *core;
    const Pb__NodeRow *found;
};

/* Its own failover first: then nobody stays, whoever else is being moved. */
static bool find_mine(void *ctx, const Pb__NodeRow *row)
{
    struct search *search = ctx;

    if (row->moving_by == search->core->incarnation &&
        (search->found == NULL || row->node == search->core->node_id)) {
        search->found = row;
    }
    return true;
}

static uint64_t deadline_of(struct core *core, const Pb__NodeRow *row, uint64_t now_ms)
{
    uint64_t time_ms = state_time_ms(core->state);

    if (row->move_by_ms == 0) {
        return UINT64_MAX;
    }
    return row->move_by_ms > time_ms ? now_ms + (row->move_by_ms - time_ms) : now_ms;
}

static void begin(struct core *core, const Pb__NodeRow *row, uint64_t now_ms)
{
    struct moving *moving = core->moving;
    uint32_t rate = row->move_rate == 0 ? core->moves_per_second : row->move_rate;

    mover_end(&moving->mover);
    mover_begin(&moving->mover, rate, deadline_of(core, row, now_ms), now_ms);
    moving->node = row->node;
    moving->moves = row->moves;
    moving->is_leaving = row->away;
    moving->is_reported = false;
    moving->next_found = 0;
    moving->end = state_next_session(core->state);
    log_info("core.moving", LOG_UINT("node", row->node), LOG_UINT("rate", rate),
             LOG_STR("to", row->away ? "away" : "home"));
}

static void look(struct core *core, uint64_t now_ms)
{
    struct moving *moving = core->moving;
    struct search search = {.core = core};

    moving->looks = false;
    state_each_node(core->state, &core->arena, find_mine, &search);
    if (search.found == NULL) {
        mover_end(&moving->mover);
        moving->node = 0;
    } else if (search.found->node != moving->node || search.found->moves != moving->moves) {
        begin(core, search.found, now_ms);
    }
}

/* ---- which sessions */

struct page {
    struct core *core;
    size_t rows;
};

bool moving_drops(struct core *core, uint32_t node, bool away, uint64_t mover,
                  const Pb__SessionRow *row)
{
    const Pb__AccountRow *account;

    if (row->owner->incarnation != mover || row->detached) {
        return false;
    }
    account = away ? NULL : state_account(core->state, &core->arena, row->user);
    return away || (account != NULL && account->home == node);
}

static bool is_to_move(struct core *core, const Pb__SessionRow *row)
{
    const struct moving *moving = core->moving;

    return moving_drops(core, moving->node, moving->is_leaving, core->incarnation, row);
}

static bool find_session(void *ctx, uint64_t session, const Pb__SessionRow *row)
{
    struct page *page = ctx;
    struct moving *moving = page->core->moving;

    if (session >= moving->end) {
        moving->next_found = session;
        return false;
    }
    moving->next_found = session + 1;
    if (is_to_move(page->core, row)) {
        mover_add(&moving->mover, session);
    }
    return ++page->rows < ROWS_A_TICK;
}

static void find(struct core *core)
{
    struct page page = {.core = core};

    if (core->moving->mover.has_found_all) {
        return;
    }
    state_each_session(core->state, &core->arena, core->moving->next_found, find_session, &page);
    if (page.rows < ROWS_A_TICK) {
        mover_found_all(&core->moving->mover);
    }
}

/* ---- dropping them */

static void tell_to_leave(struct core *core, uint64_t session, const Pb__SessionRow *row)
{
    struct port_message *message = port_new(PORT_LEAVE);
    const char *target = state_address_for(core->state, &core->arena, row->user, core->node_id);

    message->ref = (struct effect_ref){.worker = row->owner->worker,
                                       .slot = row->owner->slot,
                                       .generation = row->owner->generation};
    message->session = session;
    message->bytes = blob_new(slice_make(target, strlen(target) + 1));
    core_tell_worker(core, row->owner->worker, message);
}

static enum mover_fate fate_of(const struct core *core, const Pb__SessionRow *row, uint32_t epoch)
{
    if (row == NULL) {
        return MOVER_ENDED;
    }
    if (state_session_life(core->state, row, &(uint64_t){0}) != SESSION_LIVE) {
        return MOVER_WAITS;
    }
    if (row->owner->incarnation != core->incarnation) {
        return MOVER_MOVED;
    }
    return row->epoch != epoch ? MOVER_RETURNED : MOVER_WAITS; /* the Detach is under way */
}

static void drop(struct core *core, uint64_t now_ms)
{
    struct mover *mover = &core->moving->mover;
    uint64_t session;

    for (size_t i = 0; i < DROPS_A_TICK && mover_next(mover, now_ms, &session); i++) {
        const Pb__SessionRow *row = state_session(core->state, &core->arena, session);

        if (row == NULL || !is_to_move(core, row)) {
            mover_gone(mover, fate_of(core, row, row == NULL ? 0 : row->epoch));
        } else {
            tell_to_leave(core, session, row);
            mover_dropped(mover, row->epoch, now_ms);
        }
        arena_reset(&core->arena);
    }
}

/* Its worker does not do it: detached it can be resumed elsewhere, and ends at its deadline. */
static void detach(struct core *core, const struct mover_session *session)
{
    Pb__Command command = PB__COMMAND__INIT;
    Pb__Detach detach = PB__DETACH__INIT;

    detach.session = session->id;
    detach.epoch = session->epoch;
    command.body_case = PB__COMMAND__BODY_DETACH;
    command.detach = &detach;
    if (core_submit(core, &command) != 0) {
        log_debug("core.detach_waits", LOG_UINT("session", session->id)); /* for the next round */
    }
}

static bool is_stuck(const struct core *core, const struct mover_session *session,
                     const Pb__SessionRow *row, uint64_t now_ms)
{
    return row != NULL && row->owner->incarnation == core->incarnation && !row->detached &&
           row->epoch == session->epoch && now_ms >= session->dropped_ms + MOVER_STUCK_MS;
}

static void check(struct core *core, uint64_t now_ms)
{
    struct mover *mover = &core->moving->mover;
    const struct mover_session *session;

    for (size_t i = 0; i < ROWS_A_TICK && (session = mover_check(mover)) != NULL; i++) {
        const Pb__SessionRow *row = state_session(core->state, &core->arena, session->id);

        if (is_stuck(core, session, row, now_ms)) {
            detach(core, session);
        }
        mover_note(mover, fate_of(core, row, session->epoch));
        arena_reset(&core->arena);
    }
}

/* ---- telling how it goes */

static void report(struct core *core, bool is_over)
{
    const struct mover_counts *counts = &core->moving->mover.counts;
    Pb__MoveCounts stored = PB__MOVE_COUNTS__INIT;
    Pb__MoveReport report = PB__MOVE_REPORT__INIT;
    Pb__Command command = PB__COMMAND__INIT;

    stored.found = counts->found;
    stored.dropped = counts->dropped;
    stored.moved = counts->moved;
    stored.returned = counts->returned;
    stored.ended = counts->ended;
    report.node = core->moving->node;
    report.moves = core->moving->moves;
    report.over = is_over;
    report.counts = &stored;
    command.body_case = PB__COMMAND__BODY_MOVE_REPORT;
    command.move_report = &report;
    if (core_submit(core, &command) == 0 && is_over) {
        core->moving->is_reported = true;
        log_info("core.moved", LOG_UINT("node", core->moving->node),
                 LOG_UINT("found", counts->found), LOG_UINT("moved", counts->moved),
                 LOG_UINT("returned", counts->returned), LOG_UINT("ended", counts->ended));
    }
}

/* Is the move that is under way still wanted? It may have been aborted, or decided anew. */
static bool is_wanted(struct core *core)
{
    const struct moving *moving = core->moving;
    const Pb__NodeRow *row = state_node(core->state, &core->arena, moving->node);

    return row != NULL && row->moving_by == core->incarnation && row->moves == moving->moves;
}

void moving_step(struct core *core, uint64_t now_ms)
{
    struct moving *moving = core->moving;

    if (core->incarnation == 0) {
        moving->looks = true;
        return;
    }
    if (moving->looks || (moving->node != 0 && !is_wanted(core))) {
        look(core, now_ms);
    }
    if (moving->node == 0 || moving->is_reported) {
        return;
    }
    find(core);
    drop(core, now_ms);
    check(core, now_ms);
    if (mover_is_over(&moving->mover, now_ms)) {
        report(core, true);
    } else if (mover_reports(&moving->mover, now_ms)) {
        report(core, false);
    }
}
