#include "tests/sim/plant.h"

#include "node/base/err.h"
#include "raft/log/rlog.h"
#include "raft/shim/shim.h"
#include "storage/state/apply.h"
#include "storage/state/pending.h"
#include "storage/state/presence.h"
#include "tests/sim/machine.h"
#include "xmpp/stream/internal.h"

#include <string.h>

#define FORGETFUL_NODE 2
#define FORGETS_OF_MIL 20

static const char *const names[] = {"none",     "early-ack",   "repeat",  "lose",
                                    "forget",   "flap",        "stale",   "ghost",
                                    "no-fence", "other-state", "goes-on", "lost-commit"};
static enum plant planted;

enum plant plant_find(const char *name)
{
    enum plant plant = PLANT_NONE;

    while (plant < PLANTS && strcmp(names[plant], name) != 0) {
        plant++;
    }
    return plant;
}

void plant_set(enum plant plant)
{
    planted = plant;
}

bool plant_is(enum plant plant)
{
    return planted == plant;
}

/* ---- where the defects are (--wrap) */

void __real_pending_confirm(struct apply *a, uint64_t session, Pb__SessionRow *row, uint32_t h);
void __wrap_pending_confirm(struct apply *a, uint64_t session, Pb__SessionRow *row, uint32_t h);
void __wrap_pending_confirm(struct apply *a, uint64_t session, Pb__SessionRow *row, uint32_t h)
{
    if (!plant_is(PLANT_REPEAT)) {
        __real_pending_confirm(a, session, row, plant_is(PLANT_LOSE) ? h + 1 : h);
    }
}

int __real_session_resume(struct apply *a, const Pb__Resume *command);
int __wrap_session_resume(struct apply *a, const Pb__Resume *command);
int __wrap_session_resume(struct apply *a, const Pb__Resume *command)
{
    return plant_is(PLANT_FORGET) && a->now_ms % 4 == 0 ? ERR_NOT_FOUND
                                                        : __real_session_resume(a, command);
}

int __real_session_detach(struct apply *a, const Pb__Detach *command);
int __wrap_session_detach(struct apply *a, const Pb__Detach *command);
int __wrap_session_detach(struct apply *a, const Pb__Detach *command)
{
    int rc = __real_session_detach(a, command);
    const Pb__SessionRow *row = state_session(a->state, a->arena, command->session);

    if (plant_is(PLANT_FLAP) && row != NULL) {
        presence_end_session(a, command->session, row->user, row->resource);
    }
    return rc;
}

void __real_resume_on_confirmed(struct stream *stream, uint64_t presence_since);
void __wrap_resume_on_confirmed(struct stream *stream, uint64_t presence_since);
void __wrap_resume_on_confirmed(struct stream *stream, uint64_t presence_since)
{
    __real_resume_on_confirmed(stream, plant_is(PLANT_STALE) ? UINT64_MAX / 2 : presence_since);
}

int __real_expire(struct apply *a, const Pb__Expire *command);
int __wrap_expire(struct apply *a, const Pb__Expire *command);
int __wrap_expire(struct apply *a, const Pb__Expire *command)
{
    return plant_is(PLANT_GHOST) ? 0 : __real_expire(a, command);
}

bool __real_rlog_lease_held(struct rlog *rlog);
bool __wrap_rlog_lease_held(struct rlog *rlog);
bool __wrap_rlog_lease_held(struct rlog *rlog)
{
    return plant_is(PLANT_NO_FENCE) || __real_rlog_lease_held(rlog);
}

int __real_message_send(struct apply *a, const Pb__SendMessage *command);
int __wrap_message_send(struct apply *a, const Pb__SendMessage *command);
int __wrap_message_send(struct apply *a, const Pb__SendMessage *command)
{
    const struct sim_host *host = machine_here();

    if (plant_is(PLANT_OTHER_STATE) && host->number == FORGETFUL_NODE &&
        machine_chance(FORGETS_OF_MIL)) {
        return 0;
    }
    return __real_message_send(a, command);
}

struct shim *__real_shim_new(const struct shim_config *config);
struct shim *__wrap_shim_new(const struct shim_config *config);
struct shim *__wrap_shim_new(const struct shim_config *config)
{
    struct shim_config changed = *config;

    if (plant_is(PLANT_GOES_ON)) {
        changed.guards_off = SHIM_GUARD_APPEND_FAILED;
    }
    if (plant_is(PLANT_LOST_COMMIT)) {
        changed.guards_off = SHIM_GUARD_VERIFIED;
    }
    return __real_shim_new(&changed);
}
