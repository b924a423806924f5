/* Committed entries into the state, their effects to who they concern on this node. */
#include "node/base/clock.h"
#include "node/base/log.h"
#include "node/core/core_private.h"
#include "xmpp/im/im.h"

#include <string.h>

void core_tell_worker(struct core *core, uint32_t worker, struct port_message *message)
{
    if (worker >= core->worker_count) {
        port_free(&message); /* of an earlier life with more workers */
        return;
    }
    mailbox_push_take(core->workers[worker], &message->mail);
}

/* ---- domains */

static bool append_domain(void *ctx, const char *name)
{
    struct buf *names = ctx;

    buf_append(names, slice_make(name, strlen(name) + 1));
    return true;
}

void core_tell_domains(struct core *core)
{
    struct buf names = BUF_EMPTY;
    struct blob *bytes;

    state_each_domain(core->state, &core->arena, append_domain, &names);
    bytes = blob_new(buf_slice(&names));
    buf_deinit(&names);
    for (uint32_t i = 0; i < core->worker_count; i++) {
        struct port_message *message = port_new(PORT_DOMAINS);

        message->bytes = blob_ref(bytes);
        core_tell_worker(core, i, message);
    }
    blob_unref(&bytes);
}

/* ---- effects */

static void node_outcome(struct core *core, const struct effect *effect)
{
    if (effect->outcome.kind == OUTCOME_STARTED && effect->ref.cookie == core->start_cookie) {
        core_incarnation_started(core, effect->outcome.incarnation);
    } else if (effect->ref.cookie == COOKIE_EXPIRE) {
        core->leader.lead.expiry_sent_ms = 0;
    }
}

static void route_outcome(struct core *core, const struct effect *effect)
{
    struct port_message *message;

    if (effect->ref.worker == REF_WORKER_NODE) {
        node_outcome(core, effect);
        return;
    }
    if (core->incarnation == 0 || effect->origin != core->incarnation) {
        return; /* another node's, or of an earlier life */
    }
    message = port_outcome_new(&effect->ref, &effect->outcome);
    if (effect->ref.worker == REF_WORKER_ADMIN) {
        mailbox_push_take(core->admin, &message->mail);
    } else {
        core_tell_worker(core, effect->ref.worker, message);
    }
}

static void deliver(void *ctx, const struct delivery *delivery)
{
    struct core *core = ctx;
    struct blob *xml = delivery->xml;

    if (delivery->owner.worker < core->worker_count) {
        outbox_deliver(&core->outboxes[delivery->owner.worker], delivery);
    } else {
        blob_unref(&xml); /* of an earlier life with more workers */
    }
}

static struct im_view view_of(struct core *core)
{
    return (struct im_view){.state = core->state,
                            .incarnation = core->incarnation,
                            .now_wall_ms = clock_wall_ms(),
                            .about = core->about,
                            .arena = &core->arena,
                            .sink = deliver,
                            .ctx = core};
}

static void answer_pull(struct core *core, const struct delivery_pull *pull)
{
    const struct im_view view = view_of(core);

    if (core->incarnation != 0) {
        im_catch_up(&view, pull);
    }
}

void core_on_pull(struct core *core, const struct delivery_pull *pull)
{
    if (outbox_take_pull(&core->outboxes[pull->owner.worker], pull)) {
        answer_pull(core, pull);
    }
}

void core_settle_outboxes(struct core *core)
{
    struct delivery_pull pull;

    for (uint32_t i = 0; i < core->worker_count; i++) {
        outbox_settle(&core->outboxes[i]);
        while (outbox_next_pull(&core->outboxes[i], &pull)) {
            answer_pull(core, &pull);
            arena_reset(&core->arena);
        }
    }
}

static void expand(struct core *core, const struct effect *effect)
{
    const struct im_view view = view_of(core);

    if (core->incarnation != 0) {
        im_expand(&view, effect);
    }
}

static void handle_effect(struct core *core, const struct effect *effect)
{
    switch (effect->kind) {
    case EFFECT_OUTCOME:
        route_outcome(core, effect);
        break;
    case EFFECT_INCARNATION:
        core_tell_node(core, effect->node);
        if (!effect->up && effect->incarnation == core->incarnation && core->incarnation != 0) {
            core_incarnation_ended(core);
        }
        break;
    case EFFECT_VOTES:
        core_tell_node(core, effect->node);
        break;
    case EFFECT_HEALTH:
        core_on_health(effect);
        break;
    case EFFECT_MOVED:
        core_on_moved(core, effect);
        break;
    case EFFECT_ALARM:
        core_on_alarm(effect);
        break;
    case EFFECT_DOMAINS:
        core_tell_domains(core);
        break;
    case EFFECT_VERSION:
        core_on_version(core);
        break;
    case EFFECT_SECRETS:
        core_tell_secrets(core);
        break;
    case EFFECT_REFUSED_SEQ:
        if (effect->incarnation == core->incarnation && core->incarnation != 0) {
            rlog_resend(core->log, effect->seq);
        }
        break;
    default:
        expand(core, effect);
        break;
    }
}

void core_apply(struct core *core, uint64_t index, uint64_t term, struct blob *entry)
{
    if (index <= core->applied_index) {
        return; /* a copy of the store overtook it */
    }
    core->applied_ms = clock_mono_ms();
    if (entry != NULL) {
        struct slice bytes = blob_slice(entry);
        int rc = state_apply(core->state, index, term, bytes, &core->effects);

        if (rc != 0) {
            log_error("core.entry_unknown", LOG_UINT("index", index),
                      LOG_STR("cause", err_text(rc)),
                      LOG_STR("hint", rc == ERR_VERSION
                                          ? "the cluster writes what this program can not read: "
                                            "start a newer one here"
                                          : "the log is damaged"));
            core_fail_stop(EXIT_ENTRY_UNKNOWN);
        }
        core->window_bytes += bytes.len;
    }
    core->applied_index = index;
    core->applied_term = term;
    for (size_t i = 0; i < core->effects.count; i++) {
        handle_effect(core, &core->effects.items[i]);
    }
    effects_clear(&core->effects);
}
