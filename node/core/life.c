/* This node's own life in the cluster: START, the end of an incarnation, and the gate that follows
 * from both (DESIGN 3 and 7). */
#include "node/base/clock.h"
#include "node/base/crypto.h"
#include "node/base/log.h"
#include "node/core/core_private.h"
#include "storage/state/command.h"
#include "storage/state/next.h"

#include <string.h>

void core_start_incarnation(struct core *core)
{
    Pb__Command command = PB__COMMAND__INIT;
    Pb__Start start = PB__START__INIT;
    struct effect_ref ref = {.worker = REF_WORKER_NODE};
    struct buf bytes = BUF_EMPTY;
    uint8_t nonce[NONCE_BYTES];

    random_fill(nonce, sizeof(nonce));
    core->start_cookie = random_u64() | 1ull << 63; /* never one of the fixed cookies */
    ref.cookie = core->start_cookie;
    start.node = core->node_id;
    start.nonce = (ProtobufCBinaryData){.len = sizeof(nonce), .data = nonce};
    command.body_case = PB__COMMAND__BODY_START;
    command.start = &start;
    command_append(&command, &ref, &bytes);
    rlog_submit_start(core->log, buf_slice(&bytes));
    buf_deinit(&bytes);
}

int core_submit(struct core *core, Pb__Command *command)
{
    struct buf bytes = BUF_EMPTY;
    int rc;

    command_append(command, NULL, &bytes);
    rc = rlog_submit(core->log, buf_slice(&bytes));
    buf_deinit(&bytes);
    return rc;
}

/* Facts that other nodes tell clients about this one. Lost when the log is full of other work: the
 * next incarnation tells them again. */
static void submit(struct core *core, Pb__Command *command)
{
    if (core_submit(core, command) != 0) {
        log_warn("core.submit_refused", LOG_INT("command", command->body_case));
    }
}

void core_announce_node(struct core *core)
{
    uint32_t log_version = state_cluster(core->state, &core->arena)->log_version;
    Pb__NodeRow *row = state_node(core->state, &core->arena, core->node_id);
    Pb__Command command = PB__COMMAND__INIT;
    Pb__NodeSet set = PB__NODE_SET__INIT;

    if (row != NULL && strcmp(row->name, core->name) == 0 &&
        strcmp(row->link_address, core->link_address) == 0 &&
        strcmp(row->client_address, core->client_address) == 0 &&
        (row->witness != 0) == core->is_witness &&
        next_node_is_set(row, log_version, MUSTER_VERSION)) {
        return;
    }
    set.node = core->node_id;
    set.name = core->name;
    set.link_address = core->link_address;
    set.client_address = core->client_address;
    set.witness = core->is_witness;
    next_fill_node_set(&set, log_version, MUSTER_VERSION);
    command.body_case = PB__COMMAND__BODY_NODE_SET;
    command.node_set = &set;
    submit(core, &command);
}

static bool note_domain(void *ctx, const char *name)
{
    (void)name;
    *(bool *)ctx = true;
    return false;
}

static void add_first_domain(struct core *core)
{
    Pb__Command command = PB__COMMAND__INIT;
    Pb__DomainSet set = PB__DOMAIN_SET__INIT;
    bool has_any = false;

    state_each_domain(core->state, &core->arena, note_domain, &has_any);
    if (has_any) {
        return;
    }
    set.name = core->domain;
    command.body_case = PB__COMMAND__BODY_DOMAIN_SET;
    command.domain_set = &set;
    submit(core, &command);
}

void core_tell_node(struct core *core, uint32_t node_id)
{
    const Pb__NodeRow *node = state_node(core->state, &core->arena, node_id);
    bool is_up = node != NULL && state_is_up(core->state, &core->arena, node->incarnation);

    rlog_node_incarnation(core->log, node_id, is_up ? node->incarnation : 0);
    if (node != NULL && node->voter_raft_id != 0) {
        rlog_node_voted(core->log, node_id, node->voter_raft_id);
    }
}

void core_incarnation_started(struct core *core, uint64_t incarnation)
{
    if (core->incarnation == incarnation) {
        return; /* START was applied twice: through two leaders */
    }
    core->incarnation = incarnation;
    rlog_set_incarnation(core->log, incarnation);
    log_info("core.incarnation_started", LOG_UINT("incarnation", incarnation),
             LOG_UINT("index", core->applied_index));
    core_announce_node(core);
    add_first_domain(core);
    moving_look_again(core);
    core_step_gate(core);
}

static void tell_cease(struct core *core, bool ended)
{
    for (uint32_t i = 0; i < core->worker_count; i++) {
        struct port_message *message = port_new(PORT_CEASE);

        message->ended = ended;
        core_tell_worker(core, i, message);
    }
    if (ended && core->admin != NULL) {
        struct port_message *message = port_new(PORT_CEASE);

        message->ended = true;
        mailbox_push_take(core->admin, &message->mail);
    }
}

void core_leave(struct core *core)
{
    core->incarnation = 0;
    core->start_cookie = 0;
    core->gate.state = GATE_CLOSED;
    atomic_store(&core->may_serve, false);
    tell_cease(core, true);
}

void core_incarnation_ended(struct core *core)
{
    log_warn("core.incarnation_ended", LOG_UINT("incarnation", core->incarnation));
    core_leave(core);
    if (core->is_leaving) {
        atomic_store(&core->is_gone, true); /* all that it had to say is in the log */
    } else {
        core_start_incarnation(core);
    }
}

/* So that peers take over at once, and know it for a stop. Without a majority it would wait in
 * vain: the others find out by themselves. */
void core_say_farewell(struct core *core)
{
    Pb__Command command = PB__COMMAND__INIT;
    Pb__NodeStop stop = PB__NODE_STOP__INIT;

    core->is_leaving = true;
    if (core->incarnation != 0 && rlog_lease_held(core->log) &&
        core_may_write(core, STATE_LOG_VERSION_STOP)) {
        command.body_case = PB__COMMAND__BODY_NODE_STOP;
        command.node_stop = &stop;
        submit(core, &command);
    }
    atomic_store(&core->farewell_ms, clock_mono_ms());
}

static void open_gate(struct core *core)
{
    log_info("core.serving", LOG_UINT("incarnation", core->incarnation));
    core_tell_domains(core);
    for (uint32_t i = 0; i < core->worker_count; i++) {
        struct port_message *message = port_new(PORT_SERVE);

        message->incarnation = core->incarnation;
        core_tell_worker(core, i, message);
    }
}

void core_step_gate(struct core *core)
{
    /* Nobody is served before there are secrets: a new cluster has them a moment after its leader.
     */
    const struct gate_facts facts = {.incarnation_up =
                                         core->incarnation != 0 && core->secrets_version != 0,
                                     .lease_held = rlog_lease_held(core->log),
                                     .has_room = !kv_pressure(core->kv),
                                     .is_stopping = core->is_stopping,
                                     .now_ms = clock_mono_ms()};
    enum gate_state before = core->gate.state;
    enum gate_state after = gate_step(&core->gate, &facts);

    core->waits_for = gate_reason(&core->gate, &facts);
    rlog_set_store_full(core->log, !facts.has_room);
    rlog_set_store_low(core->log, !kv_has_room(core->kv));
    if (before == after) {
        return;
    }
    atomic_store(&core->may_serve, after == GATE_OPEN);
    if (before == GATE_CLOSED) {
        open_gate(core);
    } else if (after == GATE_CLOSED) {
        log_warn("core.ceased", LOG_INT("lease_held", facts.lease_held),
                 LOG_INT("has_room", facts.has_room));
        tell_cease(core, false);
    } else {
        log_info(after == GATE_OPEN ? "core.resumed" : "core.paused",
                 LOG_INT("lease_held", facts.lease_held), LOG_INT("has_room", facts.has_room));
    }
}
